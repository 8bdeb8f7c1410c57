"""Somebody left a file of another kind among the catalog entries."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case


def make(place: Path) -> Case:
    archive, bundle_id = archives.with_bundle(place)
    archive.entry(bundle_id).with_name("notes.json").write_text("{}")
    return archives.strays_sought(archive)
