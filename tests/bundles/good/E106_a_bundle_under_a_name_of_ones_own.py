"""A whole bundle was taken out of its archive and lies under a name that somebody gave it."""

from __future__ import annotations

from pathlib import Path

from bundles import archives, sealing
from bundles.case import Case


def make(place: Path) -> Case:
    archive, bundle_id = archives.with_bundle(place)
    archive.payload(bundle_id).rename(place / "for-the-paper")
    return sealing.validated(place / "for-the-paper")
