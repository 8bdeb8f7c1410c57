"""A file in a model's folder that may hold credentials has no digest, as it should."""

from __future__ import annotations

from pathlib import Path

from bundles import subjects
from bundles.case import Case


def make(place: Path) -> Case:
    return subjects.local_model(place, linked=".env")
