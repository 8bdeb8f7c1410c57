"""Registering a bundle with DVC without DVC: objects in its cache, then the pointer that git keeps.

What is written is what `dvc add` would write, and a contract test holds the two together. Each file is read once: the
same pass computes the MD5 that DVC wants and proves the SHA-256 that was sealed, so that no damage is ever blessed.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from reprokit.archive import cache, durable, small_file
from reprokit.archive.cache import Cache
from reprokit.archive.layout import Archive
from reprokit.bundle import bag, canonical, paths
from reprokit.errors import FixityError, NotFoundError, UnreadableError

_CHUNK = 1 << 20
_LONGEST_LIST = 256 << 20  # bytes; about a million files
_RESTORE = "restore the bundle from another copy"
_POINTER = re.compile(
    r"outs:\n"
    r"- md5: (?P<oid>[0-9a-f]{32}\.dir)\n"
    r"  size: (?P<size>[0-9]+)\n"
    r"  nfiles: (?P<nfiles>[0-9]+)\n"
    r"  hash: md5\n"
    r"  path: (?P<path>[A-Za-z0-9_.-]+)\n"
    r"meta:\n"
    r"  reprokit:\n"
    r"    identity: \n"  # with its blank: DVC breaks a line before it is 80 wide
    r"      (?P<identity>sha256:[0-9a-f]{64})\n"
)


@dataclass(frozen=True, kw_only=True)
class Pointer:
    """What a `.dvc` file says of a bundle: DVC's name for it, its size in bytes and its number of files."""

    oid: str
    size: int
    nfiles: int
    path: str
    identity: str


class _Row(Struct, frozen=True, kw_only=True):
    md5: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]
    relpath: str


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of a bundle as DVC names them: path → hexadecimal MD5, and their size in bytes together."""

    files: dict[str, str]
    size: int

    def encode(self) -> bytes:
        """Write the directory object, byte for byte as DVC does."""
        rows = [{"md5": md5, "relpath": path} for path, md5 in sorted(self.files.items())]
        return json.dumps(rows, sort_keys=True).encode()

    @property
    def oid(self) -> str:
        """DVC's name of the directory object."""
        return hashlib.md5(self.encode(), usedforsecurity=False).hexdigest() + ".dir"


def read_listing(store: Cache, oid: str) -> dict[str, str]:
    """Read a directory object of the cache into path → hexadecimal MD5.

    Raises:
        NotFoundError: there is no such object.
        FixityError: its bytes are not those it is named for, or list no files of a bundle.
    """
    try:
        data = small_file.read(store.place(oid), most=_LONGEST_LIST)
    except OSError as error:
        raise NotFoundError(f"the object `{oid}` cannot be read: {error.strerror}", hint=_RESTORE) from error
    if hashlib.md5(data, usedforsecurity=False).hexdigest() + ".dir" != oid:
        raise FixityError(f"the object `{oid}` is damaged", hint=_RESTORE)
    try:
        rows = canonical.decode(data, list[_Row])
    except msgspec.DecodeError as error:
        raise FixityError(f"the object `{oid}` lists no files: {error}", hint=_RESTORE) from error
    if any(not paths.is_safe(row.relpath) for row in rows):
        raise FixityError(f"the object `{oid}` names a file outside of the bundle", hint="do not use this bundle")
    return {row.relpath: row.md5 for row in rows}


def encode(pointer: Pointer) -> bytes:
    """Write a `.dvc` file in its one spelling, which is DVC's own."""
    return (
        "outs:\n"
        f"- md5: {pointer.oid}\n"
        f"  size: {pointer.size}\n"
        f"  nfiles: {pointer.nfiles}\n"
        "  hash: md5\n"
        f"  path: {pointer.path}\n"
        "meta:\n"
        "  reprokit:\n"
        "    identity: \n"
        f"      {pointer.identity}\n"
    ).encode()


def read_pointer(path: Path) -> Pointer:
    """Read the `.dvc` file of a bundle.

    Raises:
        NotFoundError: there is none.
        UnreadableError: it is not in its one spelling.
    """
    try:
        data = small_file.read(path)
    except OSError as error:
        raise NotFoundError(f"`{path}` cannot be read: {error.strerror}") from error
    pointer = parse_pointer(data)
    if pointer is None:
        raise UnreadableError(
            f"`{path}` is not a pointer that reprokit wrote", hint="restore it: `git checkout` in the archive"
        )
    return pointer


def parse_pointer(data: bytes) -> Pointer | None:
    """Read the bytes of a `.dvc` file; `None` when they are not in its one spelling."""
    match = _POINTER.fullmatch(data.decode("utf-8", errors="replace"))
    if match is None:
        return None
    return Pointer(
        oid=match["oid"],
        size=int(match["size"]),
        nfiles=int(match["nfiles"]),
        path=match["path"],
        identity=match["identity"],
    )


def _digests(path: Path) -> tuple[str, str, int]:
    """Read a file once; returns its hexadecimal MD5 and SHA-256 and its size in bytes."""
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    with bag.open_regular(path) as stream:
        while chunk := stream.read(_CHUNK):
            md5.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
    return md5.hexdigest(), sha256.hexdigest(), size


def _sealed(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of every file a bundle may hold, as sealed, but for the tag manifest itself."""
    sealed = bag.read_manifest(folder)
    try:
        with bag.open_regular(folder / bag.TAG_MANIFEST) as stream:
            data = stream.read()
        tags = bag.parse_manifest(data)
    except (OSError, ValueError) as error:
        raise UnreadableError(f"`{folder / bag.TAG_MANIFEST}` cannot be read: {error}", hint=_RESTORE) from error
    if set(tags) != set(bag.TAG_FILES) - {bag.TAG_MANIFEST} or bag.render_manifest(tags) != data:
        raise _refused(folder, bag.TAG_MANIFEST, "is not what was captured")
    return sealed | tags


def _refused(folder: Path, path: str, why: str) -> FixityError:
    return FixityError(f"`{path}` of `{folder.name}` {why}", hint=_RESTORE)


def survey(folder: Path) -> Listing:
    """Read every file of a sealed bundle once, and list it as DVC would.

    Raises:
        FixityError: a file is not what was sealed, is missing, was added, or is no regular file.
        UnreadableError: a manifest is malformed or a file cannot be read.
    """
    expected = _sealed(folder)
    files: dict[str, str] = {}
    total = 0
    for path, regular in bag.walk(folder):
        if not regular:
            why = "is an empty folder, added to it" if path.endswith("/") else "is no regular file"
            raise _refused(folder, path, why)
        if path not in expected and path != bag.TAG_MANIFEST:
            raise _refused(folder, path, "is not in its manifest")
        try:
            md5, sha256, size = _digests(folder / path)
        except OSError as error:
            raise UnreadableError(f"`{folder / path}` cannot be read: {error.strerror}") from error
        if sha256 != expected.get(path, sha256):
            raise _refused(folder, path, "is not what was captured")
        files[path] = md5
        total += size
    if missing := sorted(set(expected) - set(files)):
        raise _refused(folder, missing[0], "is missing")
    return Listing(files=files, size=total)


def pointer_to(folder: Path, listing: Listing) -> Pointer:
    """Describe a surveyed bundle as its `.dvc` file does.

    Raises:
        NotFoundError: there is no bundle.
    """
    return Pointer(
        oid=listing.oid,
        size=listing.size,
        nfiles=len(listing.files),
        path=folder.name,
        identity=bag.identity(folder),
    )


def store_objects(archive: Archive, folder: Path, listing: Listing) -> None:
    """Put the files of a surveyed bundle and their listing into DVC's cache, and wait until they are on disk.

    Raises:
        OSError: the cache cannot be written.
    """
    store = cache.of(archive)
    folders = {cache.store_file(store, folder / path, md5) for path, md5 in listing.files.items()}
    # What the directory object names must be on disk before it.
    durable.flush_folders(folders)
    durable.flush_folder(cache.store_bytes(store, listing.encode(), listing.oid))


def register(archive: Archive, bundle_id: str) -> Pointer:
    """Put a published bundle into DVC's cache and write its pointer; doing so again changes nothing.

    The cost depends on the bundle alone, not on how many the archive holds.

    Raises:
        FixityError: the bundle is damaged; then nothing is registered.
        UnreadableError: it cannot be read.
        OSError: the archive or the cache cannot be written.
    """
    folder = archive.payload(bundle_id)
    listing = survey(folder)
    pointer = pointer_to(folder, listing)
    if not bundle_id.endswith("-" + pointer.identity.removeprefix("sha256:")[:8]):
        raise _refused(folder, bag.MANIFEST, "is that of another bundle")
    store_objects(archive, folder, listing)
    durable.write(archive.pointer(bundle_id), encode(pointer), archive=archive)
    return pointer
