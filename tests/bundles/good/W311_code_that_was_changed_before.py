"""A file of the checkout was changed before the evaluation ran, and not again."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    folder = live.checkout(place / "evals", {"prompt.txt": "one"})
    live.write(folder, {"prompt.txt": "other"})
    return live.captured(place, folder)
