"""Somebody's editor left a hidden file in the payload."""

from __future__ import annotations

from pathlib import Path

from bundles import sealing
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = sealing.sealed(place)
    (bundle / "data/harness/.results.json.swp").write_bytes(b"b0VIM")
    return sealing.validated(bundle)
