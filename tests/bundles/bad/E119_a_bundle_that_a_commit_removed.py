"""A commit removed pointer and entry of a bundle, and its files are gone, too."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case


def make(place: Path) -> Case:
    archive, bundle_id = archives.with_bundle(place)
    archives.remove(archive, bundle_id)
    return archives.missed(archive)
