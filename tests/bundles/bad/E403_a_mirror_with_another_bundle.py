"""The copy on a mirror is, by the service's word, of another identity."""

from __future__ import annotations

from pathlib import Path

from bundles import mirrors
from bundles.case import Case


def make(place: Path) -> Case:
    mirrored = mirrors.mirrored(place)
    mirrored.change(lambda about: about.update(identity="sha256:" + "0" * 64))
    return mirrored.audited()
