"""The command was run in a folder deep in a git checkout."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    folder = live.checkout(place / "evals", {"deep/er/evaluate.py": live.WRITES})
    return live.captured(place, folder / "deep/er")
