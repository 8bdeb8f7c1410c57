"""Somebody put folders into a bundle that lie so deep that the system cannot name the innermost."""

from __future__ import annotations

from pathlib import Path

from bundles import audits
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = audits.held(place)
    audits.nested(bundle.folder / "data", 30)
    return audits.read(bundle)
