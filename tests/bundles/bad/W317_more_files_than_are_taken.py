"""A run that left no results left more files than are taken."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    return live.left_behind(place, 10_001)
