"""Writes `schemas/v1/` from the record types: `python schemas/generate.py` (or `make schemas`)."""

from __future__ import annotations

from pathlib import Path

import msgspec

from reprokit.archive import catalog, locks
from reprokit.audit import values as audit
from reprokit.bundle import schemas
from reprokit.capture.finished import adoption as recursive
from reprokit.cli import mirroring_status, sync_command
from reprokit.diff import difference
from reprokit.reproduce import batch, result
from reprokit.reproduce.plan import values
from reprokit.sync import transfer
from reprokit.sync.mirroring import report as mirroring_report

PUBLISHED: dict[str, tuple[str, type[msgspec.Struct]]] = {
    **schemas.TYPES,
    "adoption": (recursive.SCHEMA, recursive.Adoption),
    "audit": (audit.SCHEMA, audit.Report),
    "catalog": (catalog.SCHEMA, catalog.Entry),
    "diff": (difference.SCHEMA, difference.Difference),
    "lock": (locks.SCHEMA, locks.CompletedLock),
    "mirroring": (mirroring_report.SCHEMA, mirroring_report.Mirrored),
    "outbox": (mirroring_status.SCHEMA, mirroring_status.Outstanding),
    "plan": (values.SCHEMA, values.Plan),
    "reproduction": (result.SCHEMA, result.Reproduction),
    "reproductions": (batch.SCHEMA, batch.Attempts),
    "sync": (sync_command.SCHEMA, sync_command.Synchronised),
    "transfer": (transfer.SCHEMA, transfer.Transfer),
}


def main() -> None:
    """Write every published schema."""
    folder = Path(__file__).parent / "v1"
    folder.mkdir(exist_ok=True)
    for name, (identifier, kind) in PUBLISHED.items():
        (folder / schemas.file_name(name)).write_bytes(schemas.generate(identifier, kind))


if __name__ == "__main__":
    main()
