"""A payload file was written anew, with the same bytes: another inode, another time."""

from __future__ import annotations

from pathlib import Path

from bundles import damage, sealing
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = sealing.sealed(place)
    file = bundle / "data/samples/toy.jsonl"
    damage.rewrite(file, file.read_bytes())
    return sealing.validated(bundle)
