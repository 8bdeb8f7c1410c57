"""A line was added to a file of the ledger, which is named for what it held."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case


def make(place: Path) -> Case:
    archive, _ = archives.with_bundle(place)
    (batch,) = archive.ledger.glob("*/*.jsonl")
    batch.write_bytes(batch.read_bytes() * 2)
    return archives.ledger_checked(archive)
