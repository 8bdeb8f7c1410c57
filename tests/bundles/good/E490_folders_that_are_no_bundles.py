"""Somebody put folders into a bundle that lie deep: they do not belong there, and the audit of it comes to its end."""

from __future__ import annotations

from pathlib import Path

from bundles import audits
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = audits.held(place)
    audits.nested(bundle.folder / "data", 3)
    return audits.read(bundle)
