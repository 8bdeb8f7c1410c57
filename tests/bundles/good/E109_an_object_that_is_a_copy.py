"""The objects of the DVC cache and the payload share no bytes, and both are whole."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case


def make(place: Path) -> Case:
    archive, bundle_id = archives.with_bundle(place)
    archives.unlink_from_cache(archive, bundle_id)
    return archives.checked(archive, bundle_id)
