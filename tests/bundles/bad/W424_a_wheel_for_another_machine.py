"""The index serves a wheel of a package for another machine, and its source."""

from __future__ import annotations

from pathlib import Path

from bundles import audits
from bundles.case import Case


def make(place: Path) -> Case:
    return audits.rebuilt(place, "alpha-1.0-cp312-cp312-win_amd64.whl", "alpha-1.0.tar.gz")
