"""The copy on a mirror is the bundle, and somebody there gave it labels of their own."""

from __future__ import annotations

from pathlib import Path

from bundles import mirrors
from bundles.case import Case


def make(place: Path) -> Case:
    mirrored = mirrors.mirrored(place)
    mirrored.change(lambda about: about.update(labels=["best-so-far"]))
    return mirrored.audited()
