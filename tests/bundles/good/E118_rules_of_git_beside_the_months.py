"""Beside the months lie the rules that git follows for what is in them."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case


def make(place: Path) -> Case:
    archive, _ = archives.with_bundle(place)
    (archive.bundles / ".gitattributes").touch()
    return archives.strays_sought(archive)
