"""The settings name a key for the answers of the model that one sample has."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case

from reprokit.harnesses.script_fields import choose


def make(place: Path) -> Case:
    run = finished.script()
    run.samples[3]["model_answer"] = "4"
    return run.captured(place, fields=choose({"response": ["model_answer"]}))
