"""A link in a model's folder leads out of it; what is behind it was not read."""

from __future__ import annotations

from pathlib import Path

from bundles import subjects
from bundles.case import Case


def make(place: Path) -> Case:
    return subjects.local_model(place, linked="model-2.safetensors")
