"""A whole bundle lies where another belongs."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case


def make(place: Path) -> Case:
    archive = archives.created(place)
    one, two = archives.registered(archive, "one", "two")
    archive.payload(one).rename(place / "one")
    archive.payload(two).rename(archive.payload(one))
    return archives.checked(archive, one)
