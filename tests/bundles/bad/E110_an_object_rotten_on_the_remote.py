"""An object on the remote has rotten; its length is what it was."""

from __future__ import annotations

from pathlib import Path

from bundles import damage, remotes
from bundles.case import Case


def make(place: Path) -> Case:
    pushed = remotes.pushed(place)
    damage.flip(pushed.object("data/samples/toy.jsonl"))
    return pushed.pulled()
