"""Somebody wrote a better score into the results than the samples give."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    run.results["results"]["toy_mc"]["acc,none"] = 0.9
    return run.captured(place)
