"""The model answered one prompt with a single sign."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.script()
    run.samples[0]["response"] = "."
    return run.captured(place)
