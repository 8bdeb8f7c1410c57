"""Of two evaluations that a command started, one left results."""

from __future__ import annotations

from pathlib import Path

from bundles import processes
from bundles.case import Case


def make(place: Path) -> Case:
    processes.run_in(place, stamp="2026-11-24T20-03-42.633462")
    return processes.left(place, *(processes.evaluation(place, "--seed", seed) for seed in "12"))
