"""A hidden file is in the payload that the evaluation itself wrote, and that was sealed."""

from __future__ import annotations

from pathlib import Path

from bundles import sealing
from bundles.case import Case


def make(place: Path) -> Case:
    return sealing.validated(sealing.sealed(place, sealing.files() | {"harness/.cache": ("harness", b"captured")}))
