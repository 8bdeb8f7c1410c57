"""A file of samples has one of them twice."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    run.samples["toy_mc"].append(run.samples["toy_mc"][0])
    return run.captured(place)
