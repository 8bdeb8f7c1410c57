"""Fixity: whether every byte is still the byte that was captured, here and in DVC's cache."""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.archive import pending, validation
from reprokit.audit.held import Held
from reprokit.audit.statements import NotKnown, Statement
from reprokit.bundle import bag
from reprokit.bundle.finding import Finding, finding
from reprokit.errors import ReprokitError

_NOT_HERE = "its files are not in this copy of the archive: `reprokit pull ID --remote NAME` brings them"


def check(held: Held, *, deep: bool) -> Iterator[Statement]:
    """Read every byte of a bundle that is here, and of its objects in the cache. Time stamps are not believed.

    A file that is one with its object by a hardlink is read once, and its MD5, which only DVC needs, is not computed
    again, but when `deep`.
    """
    if not held.here:
        yield absent()
        return
    wrong = list(bag.verify(held.folder))
    yield from wrong
    for found in validation.check(held.archive, held.id, proven=not wrong and not deep):
        # Of a damaged bundle, another pointer and another entry follow; the true ones are held against git.
        if not (wrong and found.code in {"E107", "E108"}):
            yield found


def glance(held: Held) -> Iterator[Statement]:
    """Look at names and sizes only, and at the files that say what the others are: what was read not long ago."""
    if not held.here:
        yield absent()
        return
    yield from _names(held)
    if held.id not in pending.waiting(held.archive) and not held.archive.pointer(held.id).is_file():
        yield finding("E107", str(held.archive.relative(held.archive.pointer(held.id))), "it is missing")


def absent() -> NotKnown:
    """Say that nothing can be said of bytes that are not here."""
    return NotKnown(where="files", because=_NOT_HERE)


def _names(held: Held) -> Iterator[Finding]:
    tags = list(bag.verify_tags(held.folder))
    yield from tags
    try:
        named, info = bag.read_manifest(held.folder), bag.read_info(held.folder)
    except ReprokitError:
        return
    yield from bag.verify_names(held.folder, named)
    there = {path for path, regular in bag.walk(held.folder) if regular and path in named}
    octets = sum((held.folder / path).lstat().st_size for path in there)
    missing = sorted(named.keys() - there)
    yield from (finding("E102", path) for path in missing)
    if not missing and octets != info.payload_octets:
        yield finding("E101", bag.PAYLOAD, f"its files have {octets} bytes instead of {info.payload_octets}")
