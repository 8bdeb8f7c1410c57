"""A pointer cannot be read, so that what it leads to may be needed."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case


def make(place: Path) -> Case:
    archive, bundle_id = archives.with_bundle(place)
    archive.pointer(bundle_id).write_text("outs: []\n")
    return archives.garbage_sought(archive)
