"""What a program recorded of itself in a `reprokit.capture()` block, as it lies in its folder afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bundles.case import Case

from reprokit.bundle.finding import Finding
from reprokit.capture.in_python.spool import Spool, Spooled


def recorded(place: Path, count: int = 4) -> Spool:
    """Record some samples of a task, and no metric."""
    spool = Spool(folder=place / "spool", started="2026-11-24T00:00:00Z")
    spool.open()
    for number in range(count):
        spool.add("sums", {"id": number, "responses": [f"r{number}"]}, {"exact_match": number % 2})
    return spool


def read(spool: Spool) -> Case:
    """Ask what a bundle says of it."""

    def look() -> Iterator[Finding]:
        adapter = Spooled(spool, whole=True)
        (run,) = adapter.find([])
        yield from adapter.read(run).findings
        yield from (row for row in adapter.samples(run, "sums") if isinstance(row, Finding))

    return Case(look=look)
