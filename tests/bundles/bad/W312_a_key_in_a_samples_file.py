"""A document of a sample holds what can only be somebody's key."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    run.samples["toy_mc"][0]["doc"]["question"] = f"Is {finished.KEY} a good key?"
    return run.captured(place)
