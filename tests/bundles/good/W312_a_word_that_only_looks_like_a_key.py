"""A document of a sample holds a word that begins like a key, and is the form of one."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.lm_eval()
    run.samples["toy_mc"][0]["doc"]["question"] = "Is hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx a good key?"
    return run.captured(place)
