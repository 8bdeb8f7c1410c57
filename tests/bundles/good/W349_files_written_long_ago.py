"""The files of a run were written long ago."""

from __future__ import annotations

import os
from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    out = finished.lm_eval().written(place)
    for file in out.rglob("*"):
        os.utime(file, (1_790_000_000, 1_790_000_000))
    return finished.captured_if_good(place, out)
