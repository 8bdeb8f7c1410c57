"""The program scored its samples, and gave the metric itself."""

from __future__ import annotations

from pathlib import Path

from bundles import blocks
from bundles.case import Case


def make(place: Path) -> Case:
    spool = blocks.recorded(place)
    spool.give({"task": "sums", "metric": "exact_match", "value": 0.5})
    return blocks.read(spool)
