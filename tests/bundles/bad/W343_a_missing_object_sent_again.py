"""A push meets a remote with the list of the bundle's files, and without one of them."""

from __future__ import annotations

from pathlib import Path

from bundles import remotes
from bundles.case import Case


def make(place: Path) -> Case:
    pushed = remotes.pushed(place)
    pushed.object("data/samples/toy.jsonl").unlink()
    return pushed.pushed_again()
