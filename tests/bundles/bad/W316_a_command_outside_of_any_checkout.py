"""The command was run in a folder that is in no git checkout."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    live.write(place / "evals", {"evaluate.py": live.WRITES})
    return live.captured(place, place / "evals")
