"""An event was appended to the ledger as reprokit does it: in a file of its own."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case


def make(place: Path) -> Case:
    archive, bundle_id = archives.with_bundle(place)
    archives.append_event(archive, bundle_id, "tagged", tag="paper")
    return archives.ledger_checked(archive)
