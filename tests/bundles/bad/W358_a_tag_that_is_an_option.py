"""The ledger holds a tag that would be read as an option of a command."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case


def make(place: Path) -> Case:
    archive, bundle_id = archives.with_bundle(place)
    archives.append_event(archive, bundle_id, "tagged", tag="--yes")
    return archives.ledger_checked(archive)
