"""A pointer can be read whose bundle is not in this copy of the archive; its objects are."""

from __future__ import annotations

import shutil
from pathlib import Path

from bundles import archives
from bundles.case import Case


def make(place: Path) -> Case:
    archive, bundle_id = archives.with_bundle(place)
    shutil.rmtree(archive.payload(bundle_id))
    return archives.garbage_sought(archive)
