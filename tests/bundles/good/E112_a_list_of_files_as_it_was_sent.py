"""The list of the bundle's files on the remote is as it was sent; that a file of it is missing is another matter."""

from __future__ import annotations

from pathlib import Path

from bundles import remotes
from bundles.case import Case


def make(place: Path) -> Case:
    pushed = remotes.pushed(place)
    pushed.object("data/harness/results.json").unlink()
    return pushed.pulled()
