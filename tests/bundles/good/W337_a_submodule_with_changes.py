"""A submodule holds a change that is in no commit, and git can read it."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    submodule = live.with_submodule(place)
    live.write(submodule, {"lib.py": "CHANGED = True\n"})
    return live.captured(place, place / "evals")
