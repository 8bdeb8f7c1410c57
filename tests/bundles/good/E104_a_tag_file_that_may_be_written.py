"""A tag file may be written to, and nobody has."""

from __future__ import annotations

from pathlib import Path

from bundles import sealing
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = sealing.sealed(place)
    (bundle / "bag-info.txt").chmod(0o666)
    return sealing.validated(bundle)
