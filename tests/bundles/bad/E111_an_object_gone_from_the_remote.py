"""An object that the bundle consists of is gone from the remote."""

from __future__ import annotations

from pathlib import Path

from bundles import remotes
from bundles.case import Case


def make(place: Path) -> Case:
    pushed = remotes.pushed(place)
    pushed.object("data/samples/toy.jsonl").unlink()
    return pushed.pulled()
