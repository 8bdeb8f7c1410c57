"""What a copy of a bundle must hold: its objects by name, and their sizes as far as they are known here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reprokit.archive import cache, dvc
from reprokit.archive.dvc import Listing, Pointer
from reprokit.audit.held import Held
from reprokit.errors import FixityError, ReprokitError


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The objects of a bundle, by the pointer that git keeps.

    `files` maps each path to its hexadecimal MD5; `None` where the list of files is not in the cache here. `whole` is
    the bundle's folder when every byte in it is known to be what was captured.
    """

    bundle: str
    pointer: Pointer
    files: Mapping[str, str] | None
    whole: Path | None


def wanted(held: Held, *, whole: bool) -> Wanted:
    """Tell what a copy of a bundle must hold.

    Raises:
        NotFoundError: there is no pointer.
        UnreadableError: it cannot be read.
        FixityError: it is that of another bundle.
    """
    pointer = dvc.read_pointer(held.archive.pointer(held.id))
    if pointer.path != held.id or not held.id.endswith("-" + pointer.identity[7:15]):
        raise FixityError(f"the pointer of `{held.id}` names another bundle")
    try:
        files = dvc.read_listing(cache.of(held.archive), pointer.oid)
    except ReprokitError:  # the fixity of the cache is told elsewhere; a remote may have the list
        files = None
    return Wanted(bundle=held.id, pointer=pointer, files=files, whole=held.folder if whole else None)


def sizes(wanted: Wanted, files: Mapping[str, str]) -> dict[str, int]:
    """Give the size in bytes of each object where it is known: of the list of files, and of files that are whole here.

    Args:
        wanted: the bundle.
        files: its list of files, proven.
    """
    listing = Listing(files=dict(files), size=wanted.pointer.size)
    # A list that DVC's own spelling does not give has another length, and its name has proven it already.
    known = {wanted.pointer.oid: len(listing.encode())} if listing.oid == wanted.pointer.oid else {}
    if wanted.whole is None:
        return known
    return known | {md5: (wanted.whole / path).lstat().st_size for path, md5 in files.items()}
