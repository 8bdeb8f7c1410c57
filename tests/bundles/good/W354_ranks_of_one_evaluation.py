"""Of two processes that a command started, one left results: they are ranks of one evaluation."""

from __future__ import annotations

from pathlib import Path

from bundles import processes
from bundles.case import Case


def make(place: Path) -> Case:
    processes.run_in(place, stamp="2026-11-24T20-03-42.633462")
    return processes.left(place, *(processes.evaluation(place, "--seed", "1") for _ in range(2)))
