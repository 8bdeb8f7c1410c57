"""The definition of a task holds a function, of which the harness saved the code."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    run.results["configs"]["toy_mc"]["process_results"] = "def process(doc, results):\n    return {'acc': 1}\n"
    return run.captured(place)
