"""The definition of a task holds a function, of which the harness saved the address."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    run.results["configs"]["toy_mc"]["process_results"] = "<function process at 0x7f3a2c1b5d30>"
    return run.captured(place)
