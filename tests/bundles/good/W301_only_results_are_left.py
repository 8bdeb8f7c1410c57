"""Of a run only the results are left: its samples were not logged."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    out = finished.lm_eval().written(place)
    for file in out.rglob("samples_*.jsonl"):
        file.unlink()
    return finished.captured(place, out)
