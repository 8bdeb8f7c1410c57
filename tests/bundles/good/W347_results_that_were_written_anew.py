"""Results were there before the evaluation began, which wrote them anew."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    folder = live.checkout(place / "evals")
    live.write(folder, {"metrics.json": '{"sums": {"exact_match": 0.25}}'})
    return live.captured(place, folder)
