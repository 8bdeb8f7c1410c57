"""A module was loaded from a checkout within the checkout."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    submodule = live.with_submodule(place)
    live.write(place / "evals", {"evaluate.py": live.WRITES + "import lib\n"})
    return live.captured(place, place / "evals", PYTHONPATH=str(submodule))
