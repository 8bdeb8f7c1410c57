"""The index serves a version of a package, and says nothing of its being taken back."""

from __future__ import annotations

from pathlib import Path

from bundles import audits
from bundles.case import Case


def make(place: Path) -> Case:
    return audits.rebuilt(place, "alpha-1.0-py3-none-any.whl")
