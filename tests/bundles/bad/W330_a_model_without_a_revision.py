"""A model of the hub was asked for by its name alone."""

from __future__ import annotations

from pathlib import Path

from bundles import subjects
from bundles.case import Case


def make(place: Path) -> Case:
    return subjects.model(place, "pretrained=toy-org/tiny", branches={"main": subjects.COMMIT})
