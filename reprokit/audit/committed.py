"""What git's HEAD says of the bundles of an archive: which there are, and what pointers and entries hold."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence

from reprokit.archive import ledger, pending, references, validation
from reprokit.archive.layout import Archive, is_bundle_id
from reprokit.audit.statements import NotKnown, Statement
from reprokit.bundle.finding import Finding, finding
from reprokit.errors import InvalidRecordError, ReprokitError

_EVERY = ""
_DAY = 10  # characters of a time


def every_bundle(archive: Archive) -> list[str]:
    """List the bundles of an archive, those too that nobody but git knows of any more."""
    known = set(references.bundle_ids(archive))
    with contextlib.suppress(ReprokitError):  # which is told where pointers are held against it
        known |= validation.committed_ids(archive)
    return sorted(known)


def gone(archive: Archive, removed: Collection[str]) -> Iterator[Finding]:
    """Yield a finding for each bundle that the ledger says was registered, and of which there is nothing any more.

    Args:
        archive: the archive.
        removed: those that were removed on purpose.
    """
    known = set(every_bundle(archive)) | set(removed)
    registered: dict[str, str] = {}
    for path in ledger.batches(archive, [ledger.CAPTURED]):
        with contextlib.suppress(InvalidRecordError):  # which is told of the ledger
            registered |= {event.bundle: event.time for event in ledger.read(path)}
    for bundle in sorted(registered.keys() - known):
        if is_bundle_id(bundle):
            yield finding("E119", bundle, f"it was captured on {registered[bundle][:_DAY]}")


def differing(archive: Archive, ids: Sequence[str]) -> Mapping[str, Sequence[Statement]]:
    """Hold pointers and catalog entries against git's HEAD; gives only bundles of which there is something to say.

    A bundle that waits to be registered has neither yet, unless git says that it was registered before.
    """
    try:
        waiting = pending.waiting(archive).keys() - validation.committed_ids(archive)
        found = validation.check_committed(archive, [each for each in ids if each not in waiting])
    except ReprokitError as error:
        return {_EVERY: [NotKnown(where="git", because=f"it cannot tell what it holds: {error.message}")]}
    return {each: wrong for each, wrong in found.items() if wrong}


def of(told: Mapping[str, Sequence[Statement]], bundle: str) -> Sequence[Statement]:
    """Give what `differing` says of a bundle."""
    return told.get(bundle, told.get(_EVERY, ()))
