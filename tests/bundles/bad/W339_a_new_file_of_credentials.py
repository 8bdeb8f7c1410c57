"""In the checkout lies a new file of a kind that holds credentials."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    folder = live.checkout(place / "evals")
    live.write(folder, {".env": "A=1\n"})
    return live.captured(place, folder)
