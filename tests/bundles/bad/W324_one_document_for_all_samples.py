"""A task reads its dataset so that every sample is the same document."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    for sample in run.samples["toy_mc"]:
        sample["doc"] = run.samples["toy_mc"][0]["doc"]
    return run.captured(place)
