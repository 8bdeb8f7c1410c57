"""A module was loaded from another git checkout."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    folder = live.checkout(place / "evals", {"evaluate.py": live.WRITES + "import loose\n"})
    live.checkout(place / "loose", {"loose.py": ""})
    return live.captured(place, folder, PYTHONPATH=str(place / "loose"))
