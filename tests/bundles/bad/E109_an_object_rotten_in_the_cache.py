"""An object of the DVC cache has rotten, and the payload has bytes of its own."""

from __future__ import annotations

from pathlib import Path

from bundles import archives, damage
from bundles.case import Case


def make(place: Path) -> Case:
    archive, bundle_id = archives.with_bundle(place)
    archives.unlink_from_cache(archive, bundle_id)
    damage.flip(archives.cached(archive, bundle_id, "data/samples/toy.jsonl"))
    return archives.checked(archive, bundle_id)
