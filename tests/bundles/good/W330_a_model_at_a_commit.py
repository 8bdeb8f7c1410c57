"""A model of the hub was asked for at a full commit."""

from __future__ import annotations

from pathlib import Path

from bundles import subjects
from bundles.case import Case


def make(place: Path) -> Case:
    return subjects.model(place, f"pretrained=toy-org/tiny,revision={subjects.COMMIT}")
