"""The evaluation's capture ended well, and only its registering was left for later."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    return live.finished_later(place, live.checkout(place / "evals"))
