"""The log-probabilities of a sample are not numbers, and it has a mark all the same."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    run.samples["toy_mc"][0]["resps"] = [[["nan", "False"]]] * 4
    return run.captured(place)
