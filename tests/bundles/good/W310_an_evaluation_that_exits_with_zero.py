"""The evaluation ended before its last line, with the status that says all is well."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    folder = live.checkout(place / "evals", {"evaluate.py": live.WRITES + "raise SystemExit(0)\n"})
    return live.captured(place, folder)
