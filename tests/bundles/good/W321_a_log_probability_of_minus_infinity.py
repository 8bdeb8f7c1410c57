"""The model holds an answer for impossible: its log-probability is minus infinity, which is a number."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    run.samples["toy_mc"][0]["resps"][0] = [["-inf", "False"]]
    return run.captured(place)
