"""The results were there before the evaluation began, which wrote its samples and no results."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    writes = "open('samples.jsonl', 'w').write('{\"id\": 1, \"response\": \"x\"}\\n')\n"
    folder = live.checkout(place / "evals", {"evaluate.py": writes})
    live.write(folder, {"metrics.json": '{"sums": {"exact_match": 0.5}}'})
    return live.captured(place, folder)
