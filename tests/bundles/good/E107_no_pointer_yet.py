"""A bundle is published and not registered yet: it has no pointer, and misses none."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case


def make(place: Path) -> Case:
    archive = archives.created(place)
    return archives.checked(archive, archives.publish(archive))
