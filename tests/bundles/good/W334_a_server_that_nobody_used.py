"""A variable names a server that the run did not use."""

from __future__ import annotations

from pathlib import Path

from bundles import subjects
from bundles.case import Case


def make(place: Path) -> Case:
    return subjects.served(place, "python", "evaluate.py", "--model", "toy", OPENAI_BASE_URL="http://203.0.113.7/v1")
