"""An object is gone from the remote that another bundle consists of, and this one does not."""

from __future__ import annotations

from pathlib import Path

from bundles import archives, remotes
from bundles.case import Case


def make(place: Path) -> Case:
    pushed = remotes.pushed(place, "one", "two")
    theirs = archives.object_of(pushed.archive, pushed.others[0], "data/harness/results.json")
    remotes.shelf(pushed.folder, theirs).unlink()
    return pushed.pulled()
