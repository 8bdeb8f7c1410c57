"""A sample is there once for each of two filters."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    run.samples["toy_mc"] += [sample | {"filter": "strict"} for sample in run.samples["toy_mc"]]
    return run.captured(place)
