"""A payload file without a byte in it is gone."""

from __future__ import annotations

from pathlib import Path

from bundles import sealing
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = sealing.sealed(place)
    (bundle / "data/harness/nothing").unlink()
    return sealing.validated(bundle)
