"""In the folder of outputs lie two results, and both evaluations that wrote them were ours."""

from __future__ import annotations

from pathlib import Path

from bundles import processes
from bundles.case import Case


def make(place: Path) -> Case:
    stamps = ("2026-11-24T20-03-42.633462", "2026-11-24T20-03-43.000001")
    for stamp in stamps:
        processes.run_in(place, stamp=stamp)
    return processes.left(place, *(processes.evaluation(place, "--seed", stamp, writes=stamp) for stamp in stamps))
