"""The weights of a model in a folder were written to after the run had begun."""

from __future__ import annotations

from pathlib import Path

from bundles import subjects
from bundles.case import Case


def make(place: Path) -> Case:
    return subjects.local_model(place, started="2001-01-01T00:00:00Z")
