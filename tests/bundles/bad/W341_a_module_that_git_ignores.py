"""A module was loaded from a file of the checkout that git ignores."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    folder = live.checkout(place / "evals", {"evaluate.py": live.WRITES + "import built\n", ".gitignore": "built.py\n"})
    live.write(folder, {"built.py": ""})
    return live.captured(place, folder)
