"""Format: whether this version can still read what is there, record by record and line by line."""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.audit.held import Held
from reprokit.audit.statements import Statement
from reprokit.bundle.finding import finding
from reprokit.bundle.validation import validate_records
from reprokit.errors import NewerFormatError


def check(held: Held) -> Iterator[Statement]:
    """Hold every record and every sample line against its schema, and compressed files against what they should hold.

    That the tag files can be read is for fixity to tell; a bundle that is not here has nothing to be read.
    """
    if not held.here:
        return
    try:
        yield from validate_records(held.folder)
    except NewerFormatError as error:
        yield finding("E490", held.id, f"{error.message}: {error.hint}")
