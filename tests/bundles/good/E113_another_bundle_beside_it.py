"""On the remote are two bundles of the same size and number of files, each behind its own pointer."""

from __future__ import annotations

from pathlib import Path

from bundles import remotes
from bundles.case import Case


def make(place: Path) -> Case:
    return remotes.pushed(place, "one", "two").pulled()
