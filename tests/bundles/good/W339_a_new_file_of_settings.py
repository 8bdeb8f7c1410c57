"""In the checkout lies a new file of settings, of a kind that holds no credentials."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    folder = live.checkout(place / "evals")
    live.write(folder, {"environment.toml": "a = 1\n"})
    return live.captured(place, folder)
