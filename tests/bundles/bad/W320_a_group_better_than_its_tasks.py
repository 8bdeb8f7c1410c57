"""The score of a group is better than any mean of its tasks' scores."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    run.results["results"]["toy_inner"]["acc,none"] = run.results["groups"]["toy_inner"]["acc,none"] = 0.9
    return run.captured(place)
