"""The settings name a key for the answers of the model that is in no sample."""

from __future__ import annotations

from pathlib import Path

from bundles import finished
from bundles.case import Case

from reprokit.harnesses.script_fields import choose


def make(place: Path) -> Case:
    return finished.script().captured(place, fields=choose({"response": ["model_answer"]}))
