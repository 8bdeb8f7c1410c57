"""Checking what an archive says of a bundle against the bundle: name, pointer, catalog entry, cache objects."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from reprokit.archive import cache, catalog, dvc, pending
from reprokit.archive.cache import Cache
from reprokit.archive.dvc import Listing
from reprokit.archive.layout import Archive
from reprokit.archive.references import here
from reprokit.bundle import bag
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.reading import open_bundle
from reprokit.errors import ReprokitError


def check(archive: Archive, bundle_id: str) -> Iterator[Finding]:
    """Yield a finding for everything in the archive that does not fit a bundle in it, reading every byte.

    The bundle itself is judged by `reprokit.bundle.validation`. One that is still pending has no pointer, entry and
    objects yet, and none is missed.

    Raises:
        NotFoundError: the bundle is not in this copy of the archive.
    """
    folder = here(archive, bundle_id)
    yield from _check_name(folder)
    if bundle_id in pending.waiting(archive) and not archive.pointer(bundle_id).exists():
        return
    listing = _list(folder)
    yield from _check_pointer(archive, folder, listing)
    yield from _check_entry(archive, folder)
    yield from _check_objects(archive, folder, listing)


def _list(folder: Path) -> Listing:
    """List a bundle as it is, damaged or not; what is no regular file is left out."""
    files: dict[str, str] = {}
    size = 0
    for path, regular in bag.walk(folder):
        if regular:
            files[path] = cache.md5_of(folder / path)
            size += (folder / path).stat().st_size
    return Listing(files=files, size=size)


def _check_name(folder: Path) -> Iterator[Finding]:
    try:
        named = bag.read_info(folder).bundle_id
    except ReprokitError as error:
        yield finding("E106", folder.name, error.message)
        return
    if named != folder.name:
        yield finding("E106", folder.name, f"the folder holds `{named}`")


def _check_pointer(archive: Archive, folder: Path, listing: Listing) -> Iterator[Finding]:
    path = archive.pointer(folder.name)
    where = str(archive.relative(path))
    try:
        written = _read(path)
        expected = dvc.encode(dvc.pointer_to(folder, listing))
    except (OSError, ReprokitError) as error:
        yield finding("E107", where, _reason(error))
        return
    if written != expected:
        yield finding("E107", where, _first_difference(written, expected))


def _check_entry(archive: Archive, folder: Path) -> Iterator[Finding]:
    path = archive.entry(folder.name)
    where = str(archive.relative(path))
    try:
        written = _read(path)
        expected = catalog.encode(catalog.derive(open_bundle(folder)))
    except (OSError, ReprokitError) as error:
        yield finding("E108", where, _reason(error))
        return
    if written != expected:
        yield finding("E108", where, _first_difference(written, expected))


def _read(path: Path) -> bytes:
    with bag.open_regular(path) as stream:
        return stream.read()


def _reason(error: OSError | ReprokitError) -> str:
    return error.message if isinstance(error, ReprokitError) else error.strerror or str(error)


def _first_difference(written: bytes, expected: bytes) -> str:
    lines, wanted = written.split(b"\n"), expected.split(b"\n")
    number = next(
        (n for n, (a, b) in enumerate(zip(lines, wanted, strict=False)) if a != b), min(len(lines), len(wanted))
    )
    return f"line {number + 1} differs"


def _is_sound(store: Cache, file: Path, md5: str, *, listed: str | None) -> bool:
    place = store.place(md5)
    try:
        # A hardlink is the same bytes: they were just read.
        if listed is not None and cache.is_linked(place, file):
            return listed == md5
        return cache.md5_of(place) == md5
    except OSError:
        return False


def _check_objects(archive: Archive, folder: Path, listing: Listing) -> Iterator[Finding]:
    """Check the objects that the pointer names; they are what a restore would hand out."""
    store = cache.of(archive)
    try:
        oid = dvc.read_pointer(archive.pointer(folder.name)).oid
    except ReprokitError:
        oid = listing.oid
    try:
        named = dvc.read_listing(store, oid)
    except ReprokitError as error:
        yield finding("E109", oid, error.message)
        return
    for path, md5 in sorted(named.items()):
        if not _is_sound(store, folder / path, md5, listed=listing.files.get(path)):
            yield finding("E109", md5, f"the object of `{path}`")
