"""What package indexes were heard to say of the packages of a bundle."""

from __future__ import annotations

from reprokit.archive import locks
from reprokit.archive.layout import Archive
from reprokit.archive.locks import CompletedLock
from reprokit.bundle.reading import LOCK, Bundle
from reprokit.errors import InvalidRecordError


def known_digests(bundle: Bundle, archive: Archive) -> CompletedLock | None:
    """Read what an archive knows of the packages of a bundle; a damaged record is as good as none."""
    if not bundle.has(LOCK):
        return None
    try:
        return locks.newest(archive, locks.digest_of(bundle.read_payload(LOCK)))
    except InvalidRecordError:
        return None
