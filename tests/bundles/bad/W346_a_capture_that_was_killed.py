"""The evaluation's capture was killed, the evaluation went on to its end, and the capture was finished later."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    kills = "import os; os.kill(os.getppid(), 9)\n"
    return live.finished_later(place, live.checkout(place / "evals", {"evaluate.py": kills + live.WRITES}))
