"""A dataset holds one document twice."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    run.samples["toy_mc"][1]["doc"] = run.samples["toy_mc"][0]["doc"]
    return run.captured(place)
