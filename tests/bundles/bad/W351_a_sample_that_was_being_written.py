"""The process ended while it wrote a sample down."""

from __future__ import annotations

from pathlib import Path

from bundles import blocks
from bundles.case import Case


def make(place: Path) -> Case:
    spool = blocks.recorded(place)
    file = spool.folder / "samples/sums.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    return blocks.read(spool)
