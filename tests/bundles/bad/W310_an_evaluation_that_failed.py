"""The evaluation ended with a status that says it failed, and had written results."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    folder = live.checkout(place / "evals", {"evaluate.py": live.WRITES + "raise SystemExit(3)\n"})
    return live.captured(place, folder)
