"""Every table of the settings is one that reprokit reads."""

from __future__ import annotations

from pathlib import Path

from bundles import settings
from bundles.case import Case


def make(place: Path) -> Case:
    return settings.read(place, '[capture]\nsamples = "digest"\n[script.captrue]\nresults = "metrics.json"\n')
