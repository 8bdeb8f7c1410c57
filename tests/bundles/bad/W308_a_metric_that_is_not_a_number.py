"""A metric is not a number."""

from __future__ import annotations

import math
from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    run.results["results"]["toy_mc"]["acc,none"] = math.nan
    return run.captured(place)
