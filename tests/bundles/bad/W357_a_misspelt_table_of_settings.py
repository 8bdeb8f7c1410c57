"""A table of the settings is misspelt."""

from __future__ import annotations

from pathlib import Path

from bundles import settings
from bundles.case import Case


def make(place: Path) -> Case:
    return settings.read(place, '[captrue]\nsamples = "digest"\n')
