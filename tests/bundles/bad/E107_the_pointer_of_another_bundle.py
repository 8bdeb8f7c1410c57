"""The pointer of a bundle is a copy of another one's."""

from __future__ import annotations

import shutil
from pathlib import Path

from bundles import archives
from bundles.case import Case


def make(place: Path) -> Case:
    archive = archives.created(place)
    one, two = archives.registered(archive, "one", "two")
    shutil.copy(archive.pointer(two), archive.pointer(one))
    return archives.checked(archive, one)
