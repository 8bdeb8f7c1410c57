"""A long text is stored compressed, and unpacks to what the record says."""

from __future__ import annotations

from pathlib import Path

from bundles import sealing
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = sealing.sealed(place, sealing.files() | {"harness/long.txt": ("harness", b"line\n" * 300_000)})
    return sealing.validated(bundle)
