"""A tag file says the same as before, with the line ends of another system."""

from __future__ import annotations

from pathlib import Path

from bundles import damage, sealing
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = sealing.sealed(place)
    file = bundle / "bag-info.txt"
    damage.rewrite(file, file.read_bytes().replace(b"\n", b"\r\n"))
    return sealing.validated(bundle)
