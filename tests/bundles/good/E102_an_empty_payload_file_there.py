"""A payload file without a byte in it is there."""

from __future__ import annotations

from pathlib import Path

from bundles import sealing
from bundles.case import Case


def make(place: Path) -> Case:
    return sealing.validated(sealing.sealed(place))
