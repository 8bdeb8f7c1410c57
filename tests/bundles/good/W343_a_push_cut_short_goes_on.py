"""A push meets some files of the bundle on the remote and not their list, as one that was cut short leaves them."""

from __future__ import annotations

from pathlib import Path

from bundles import remotes
from bundles.case import Case


def make(place: Path) -> Case:
    pushed = remotes.pushed(place)
    pushed.object("data/samples/toy.jsonl").unlink()
    pushed.listing.unlink()
    return pushed.pushed_again()
