"""The evaluation got a signal by which nobody asks for anything: it crashed."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    return live.captured(place, live.checkout(place / "evals"), "bash", "-c", "kill -USR1 $$")
