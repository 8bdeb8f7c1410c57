"""One bit of a payload file is another, its length and times as they were."""

from __future__ import annotations

from pathlib import Path

from bundles import damage, sealing
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = sealing.sealed(place)
    damage.flip(bundle / "data/samples/toy.jsonl", 40)
    return sealing.validated(bundle)
