"""The command names an input in its checkout that git ignores."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    folder = live.checkout(place / "evals")
    live.write(folder, {"data.ignored": "rows"})
    return live.captured(place, folder, *live.EVALUATE, "data.ignored")
