"""Checking what an archive says of a bundle against the bundle: name, pointer, catalog entry, cache objects."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from reprokit import git
from reprokit.archive import cache, catalog, dvc, ledger, pending, small_file
from reprokit.archive.dvc import Listing
from reprokit.archive.layout import Archive, is_bundle_id
from reprokit.archive.references import here
from reprokit.archive.strays import strays
from reprokit.archive.tags import events as tags_ledger
from reprokit.bundle import bag
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.reading import open_bundle
from reprokit.errors import ReprokitError


def check(archive: Archive, bundle_id: str, *, proven: bool = False) -> Iterator[Finding]:
    """Yield a finding for everything in the archive that does not fit a bundle in it, reading every byte.

    The bundle itself is judged by `reprokit.bundle.validation`. One that is still pending has no pointer, entry and
    objects yet, and none is missed.

    Args:
        archive: the archive.
        bundle_id: the bundle.
        proven: the bytes of its files have just been found to be those that were captured. Then a file that shares
            them with its object in the cache by a hardlink is not read again: the MD5 that its listing has for it was
            taken in the pass that proved it when it was registered.

    Raises:
        NotFoundError: the bundle is not in this copy of the archive.
    """
    folder = here(archive, bundle_id)
    if folder.is_symlink() or folder.parent.is_symlink():
        # Neither git nor DVC keeps what is behind it.
        yield finding("E105", str(archive.relative(folder)), "a link stands for the bundle's folder")
    yield from _check_name(folder)
    if bundle_id in pending.waiting(archive) and not archive.pointer(bundle_id).exists():
        return
    listing = _list(folder, _linked(archive, folder) if proven else {})
    yield from _check_pointer(archive, folder, listing)
    yield from _check_entry(archive, folder)
    yield from _check_objects(archive, folder, listing)


def check_placed(archive: Archive, folder: Path) -> Iterator[Finding]:
    """Yield what `check` does for the bundle in a folder; nothing when that does not lie in the archive.

    Where it lies is asked of the folder as it is named: what a link in the archive leads to lies elsewhere, and the
    link is a finding.
    """
    bundles = archive.bundles.resolve()
    folder = Path(os.path.normpath(folder.absolute()))
    if not any(_is(parent, archive.bundles) for parent in folder.parents):
        folder = folder.resolve()
        if not folder.is_relative_to(bundles):
            return
    if is_bundle_id(folder.name) and _is(folder.parent, archive.payload(folder.name).parent):
        yield from check(archive, folder.name)
    else:
        yield finding("E106", folder.name, "it does not lie where its name says")


def _is(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def check_strays(archive: Archive) -> Iterator[tuple[Path, Finding]]:
    """Yield a finding for whatever belongs neither under `bundles/` nor under `catalog/` nor in the cache."""
    yield from ((archive.root / stray, finding("E118", stray)) for stray in strays(archive))


def check_ledger(archive: Archive) -> Iterator[tuple[Path, Finding]]:
    """Yield a finding for each file of the ledger that is not what was written, and each label that can be none."""
    for found in ledger.check(archive):
        yield archive.root / found.where, found
    for _, found in tags_ledger.check(archive):
        yield archive.root / found.where, found


def check_committed(archive: Archive, bundle_ids: Sequence[str]) -> dict[str, list[Finding]]:
    """Compare pointer and catalog entry of bundles, here or not, with what git's HEAD holds of them.

    What was never committed cannot be compared: that it is there is all that is asked.

    Raises:
        GitError: git cannot tell.
    """
    held = _committed(archive) if bundle_ids else {}
    found: dict[str, list[Finding]] = {}
    for each in bundle_ids:
        files = (("E107", archive.pointer(each)), ("E108", archive.entry(each)))
        found[each] = [wrong for code, path in files for wrong in _compare(archive, code, path, held)]
    return found


def committed_ids(archive: Archive) -> set[str]:
    """Name the bundles that git's HEAD has a pointer or a catalog entry of.

    Raises:
        GitError: git cannot tell.
    """
    names = (PurePosixPath(path).name.removesuffix(".dvc").removesuffix(".json") for path in _committed(archive))
    return {name for name in names if is_bundle_id(name)}


def _committed(archive: Archive) -> dict[str, str]:
    """Give the object names of the files under `bundles/` and `catalog/` in HEAD, by path."""
    if git.answer(["rev-parse", "--verify", "--quiet", "HEAD"], directory=archive.root) is None:
        return {}
    listing = ["ls-tree", "-r", "-z", "HEAD", "--", archive.bundles.name, archive.catalog.name]
    rows = (row.partition(b"\t") for row in git.run(listing, directory=archive.root).split(b"\0") if row)
    return {os.fsdecode(path): told.split()[-1].decode("ascii") for told, _, path in rows}


def _compare(archive: Archive, code: str, path: Path, held: Mapping[str, str]) -> Iterator[Finding]:
    where = str(archive.relative(path))
    try:
        data = _read(path)
    except OSError as error:
        yield finding(code, where, _reason(error))
        return
    named = held.get(where)
    if named is not None and named != _object_name(data, len(named)):
        yield finding(code, where, "it is not as git's HEAD holds it")


def _object_name(data: bytes, digits: int) -> str:
    """Name the object that git would make of some bytes: by SHA-1 or SHA-256, as the length of its names tells."""
    kind = "sha1" if digits == hashlib.sha1(usedforsecurity=False).digest_size * 2 else "sha256"
    return hashlib.new(kind, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _linked(archive: Archive, folder: Path) -> dict[str, str]:
    """Give the MD5 of the files that are one with the objects which the listing in the cache names for them."""
    store = cache.of(archive)
    try:
        named = dvc.read_listing(store, dvc.read_pointer(archive.pointer(folder.name)).oid)
    except ReprokitError:
        return {}
    return {path: md5 for path, md5 in named.items() if cache.is_linked(store.place(md5), folder / path)}


def _list(folder: Path, known: Mapping[str, str]) -> Listing:
    """List a bundle as it is, damaged or not; what is no regular file, or cannot be read, is left out."""
    paths = [path for path, regular in bag.walk(folder) if regular]
    unread = [path for path in paths if path not in known]
    told = dict(zip(unread, bag.digests_of([folder / path for path in unread], cache.md5_of), strict=True))
    digests = {path: known[path] if path in known else told[path] for path in paths}
    files = {path: md5 for path, md5 in digests.items() if isinstance(md5, str)}
    return Listing(files=files, size=sum((folder / path).lstat().st_size for path in files))


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
        wrong = catalog.difference(_read(path), catalog.derive(open_bundle(folder)))
    except (OSError, ReprokitError) as error:
        yield finding("E108", where, _reason(error))
        return
    if wrong is not None:
        yield finding("E108", where, wrong)


def _read(path: Path) -> bytes:
    return small_file.read(path)


def _reason(error: OSError | ReprokitError) -> str:
    return error.message if isinstance(error, ReprokitError) else error.strerror or str(error)


def _first_difference(written: bytes, expected: bytes) -> str:
    lines, wanted = written.split(b"\n"), expected.split(b"\n")
    number = next(
        (n for n, (a, b) in enumerate(zip(lines, wanted, strict=False)) if a != b), min(len(lines), len(wanted))
    )
    return f"line {number + 1} differs"


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
    unshared: list[tuple[str, str]] = []
    for path, md5 in sorted(named.items()):
        # A hardlink is the same bytes: they were just read.
        if not cache.is_linked(store.place(md5), folder / path):
            unshared.append((path, md5))
        elif listing.files.get(path) != md5:
            yield finding("E109", md5, f"the object of `{path}`")
    places = [store.place(md5) for _, md5 in unshared]
    for (path, md5), there in zip(unshared, bag.digests_of(places, cache.md5_of), strict=True):
        if there != md5:
            yield finding("E109", md5, f"the object of `{path}`")
