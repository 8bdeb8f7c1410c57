"""A bundle is gone, and the settings say that it was to go."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case


def make(place: Path) -> Case:
    archive, bundle_id = archives.with_bundle(place)
    archives.remove(archive, bundle_id)
    return archives.missed(archive, bundle_id)
