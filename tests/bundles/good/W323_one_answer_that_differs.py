"""The model answered all prompts alike, and one not."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case


def make(place: Path) -> Case:
    run = finished.script()
    for sample in run.samples[1:]:
        sample["response"] = "yes"
    return run.captured(place)
