"""The last line of samples is whole, and only the sign that ends a line is missing."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    out = finished.lm_eval().written(place)
    file = next(out.rglob("samples_toy_mc_b_*.jsonl"))
    file.write_bytes(file.read_bytes().removesuffix(b"\n"))
    return finished.captured(place, out)
