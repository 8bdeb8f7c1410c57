"""A payload file is in the manifest, and the record does not say what it is."""

from __future__ import annotations

from pathlib import Path

from bundles import sealing
from bundles.case import Case


def make(place: Path) -> Case:
    return sealing.validated(sealing.sealed(place, sealing.files() | {"harness/stray.json": (None, b"{}")}))
