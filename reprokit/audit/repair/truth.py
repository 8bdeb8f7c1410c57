"""Which bundle it is: the identity that every byte of a repair is held against.

It stands in the pointer and in the catalog entry, on disk and as git's HEAD holds them, and in short in the id. What of
them does not fit the id says nothing. Where those on disk disagree, those in HEAD decide; where that is not clear
either, nobody knows, and nothing is repaired.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reprokit.archive import dvc, small_file
from reprokit.archive.catalog import Entry
from reprokit.archive.dvc import Pointer
from reprokit.archive.layout import Archive
from reprokit.audit.repair.committed import Committed, committed
from reprokit.bundle import canonical
from reprokit.errors import FixityError

_ROW = 2300  # bytes of both manifests for each file, at most
_SLACK = 1 << 20  # bytes of the other tag files, at most
_ON_DISK = 2  # files that say it
_RESTORE = "restore the pointer and the catalog entry from a clone whose history you trust"


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is known of a bundle without its files.

    `pointers` and `entries` are those that can be read and name this bundle, HEAD's before those on disk. `most` is how
    many bytes a file of it can have.
    """

    identity: str
    pointers: tuple[Pointer, ...]
    entries: tuple[Entry, ...]
    committed: Committed
    most: int


def truth_of(archive: Archive, bundle_id: str) -> Truth:
    """Find out which identity a bundle has.

    Raises:
        FixityError: it is not clear; the message says why.
    """
    pointer, entry = archive.pointer(bundle_id), archive.entry(bundle_id)
    places = [str(archive.relative(path)) for path in (pointer, entry)]
    held = committed(archive, places)
    pointers = [_pointer(bundle_id, data) for data in (held.files.get(places[0]), _read(pointer))]
    entries = [_entry(bundle_id, data) for data in (held.files.get(places[1]), _read(entry))]
    in_head, here = ([each.identity for each in pair if each] for pair in zip(pointers, entries, strict=True))
    identity = _decided(bundle_id, set(in_head), here, held.trouble)
    naming = [each for each in pointers if each and each.identity == identity]
    describing = [each for each in entries if each and each.identity == identity]
    return Truth(
        identity=identity,
        pointers=tuple(dict.fromkeys(naming)),
        entries=tuple(describing),
        committed=held,
        most=max([*(each.size for each in naming), *(_size_by_entry(each) for each in describing)]),
    )


def _decided(bundle_id: str, held: set[str], here: list[str], trouble: str | None) -> str:
    found = held | set(here)
    if len(found) == 1:
        return found.pop()
    if not found:
        raise FixityError(
            f"it is not clear which bundle `{bundle_id}` is: neither its pointer nor its catalog entry says so"
            + (f", and git cannot be asked: {trouble}" if trouble else ", on disk or in git's HEAD"),
            hint=_RESTORE,
        )
    if len(held) == 1 and not (len(here) == _ON_DISK and len(set(here)) == 1):
        return held.pop()
    raise FixityError(
        f"it is not clear which bundle `{bundle_id}` is: its pointer and its catalog entry, "
        f"here and in git's HEAD, name {len(found)} identities",
        hint=_RESTORE,
    )


def _fits(bundle_id: str, identity: str) -> bool:
    return bundle_id.endswith(f"-{identity[7:15]}")


def _pointer(bundle_id: str, data: bytes | None) -> Pointer | None:
    found = dvc.parse_pointer(data) if data is not None else None
    return found if found and found.path == bundle_id and _fits(bundle_id, found.identity) else None


def _entry(bundle_id: str, data: bytes | None) -> Entry | None:
    try:
        found = canonical.decode(data or b"", Entry)
    except ValueError:  # of which a `msgspec.DecodeError` is one
        return None
    return found if found.id == bundle_id and _fits(bundle_id, found.identity) else None


def _read(path: Path) -> bytes | None:
    try:
        return small_file.read(path)
    except OSError:
        return None


def _size_by_entry(entry: Entry) -> int:
    return entry.payload_octets + _ROW * entry.payload_files + _SLACK
