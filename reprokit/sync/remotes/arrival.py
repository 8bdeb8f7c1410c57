"""From objects of an unknown kind to a bundle in its place: nothing is believed before it is proven.

Everything happens in a staging folder of its own. Objects are held against the MD5 they are named for, the bag that is
made of them against the SHA-256 it was sealed with and the identity that git knows. Only then do the objects reach
DVC's cache, and by a last rename the bundle its place.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reprokit.archive import cache, durable, dvc, publication
from reprokit.archive.cache import Cache
from reprokit.archive.dvc import Listing, Pointer
from reprokit.archive.layout import Archive
from reprokit.bundle import bag
from reprokit.bundle.finding import Finding, finding
from reprokit.errors import CaptureError, FixityError, ReprokitError, UnreadableError
from reprokit.sync.remotes.reading_back import is_sound

_LARGEST_LISTING = 1 << 28  # bytes
_LONGEST_ROW = 2200  # bytes of a listing for each file: a path has 2048 at most
_SHOWN = 20  # findings of a bag that is not whole


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A bundle on its way into an archive. `objects` is a cache of its own, in the staging folder."""

    archive: Archive
    bundle: str
    pointer: Pointer
    staging: Path
    objects: Cache


def _purpose(bundle_id: str) -> str:
    return f"a pull of {bundle_id}"


def begin(archive: Archive, bundle_id: str) -> Arrival:
    """Make the staging folder for a bundle that git knows and whose files are not here.

    Raises:
        NotFoundError: git knows no such bundle.
        FixityError: what git knows does not fit, or something else stands in the bundle's place.
        UnreadableError: its pointer cannot be read, or the archive cannot be written.
    """
    pointer = dvc.read_pointer(archive.pointer(bundle_id))
    if pointer.path != bundle_id or not bundle_id.endswith("-" + pointer.identity[7:15]):
        raise FixityError(
            f"the pointer of `{bundle_id}` names another bundle", hint="restore it: `git checkout` in the archive"
        )
    _require_free(archive, bundle_id)
    try:
        staging = publication.stage(archive, {"description": _purpose(bundle_id)})
    except CaptureError as error:
        raise UnreadableError(error.message, hint="make room, or mend its permissions") from error
    objects = Cache(directory=staging / "objects", hardlinks=cache.of(archive).hardlinks)
    return Arrival(archive=archive, bundle=bundle_id, pointer=pointer, staging=staging, objects=objects)


def _require_free(archive: Archive, bundle_id: str) -> None:
    place = archive.payload(bundle_id)
    for folder in (archive.bundles, place.parent, place):
        if folder.is_symlink() or (os.path.lexists(folder) and not folder.is_dir()):
            raise FixityError(
                f"`{archive.relative(folder)}` in the archive is no folder but stands where one belongs",
                hint="what is pulled would land elsewhere: remove it, or do not use this archive",
            )


def abandon(arrival: Arrival, *, keep: bool) -> None:
    """Give an arrival up. What was fetched may be kept for the next attempt, when there is anything."""
    if not keep or not any(arrival.objects.directory.rglob("*")):
        _remove(arrival.archive, arrival.staging)


def _remove(archive: Archive, staging: Path) -> None:
    """Remove a staging folder. First out of sight, as a whole: half of one could be judged by nobody."""
    unseen = archive.scratch / staging.name
    with contextlib.suppress(OSError):
        staging.rename(unseen)
    shutil.rmtree(unseen, ignore_errors=True)


def place(arrival: Arrival, name: str) -> Path:
    """Give the file that an object is to be fetched into; its folder is there afterwards.

    Raises:
        OSError: the archive cannot be written.
    """
    path = arrival.objects.place(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def reuse(arrival: Arrival, names: Collection[str]) -> set[str]:
    """Take those objects that are here and sound: from DVC's cache, or from a pull that was cut short.

    Raises:
        OSError: the archive cannot be written.
    """
    store = cache.of(arrival.archive)
    remains = list(_remains(arrival))
    found: set[str] = set()
    for name in names:
        if is_sound(store.place(name), name):
            cache.store_file(arrival.objects, store.place(name), name)
        for folder in remains:
            with contextlib.suppress(OSError):
                Cache(directory=folder, hardlinks=False).place(name).replace(place(arrival, name))
        if is_sound(arrival.objects.place(name), name):
            found.add(name)
    return found


def _remains(arrival: Arrival) -> Iterator[Path]:
    """Yield the folders of objects that pulls of this bundle left when they were cut short."""
    for each in publication.abandoned(arrival.archive):
        if each.gone and each.owner.description == _purpose(arrival.bundle):
            yield each.path / "objects"


def most_of_listing(pointer: Pointer) -> int:
    """Tell how many bytes the listing of a bundle can have at most."""
    return min(_LARGEST_LISTING, (pointer.nfiles + 1) * _LONGEST_ROW)


def read_listing(arrival: Arrival) -> Listing | Finding:
    """Read the listing that has arrived, or say why it cannot be accepted."""
    pointer = arrival.pointer
    try:
        listing = Listing(files=dvc.read_listing(arrival.objects, pointer.oid), size=pointer.size)
    except ReprokitError as error:
        return finding("E112", pointer.oid, error.message)
    if len(listing.files) != pointer.nfiles:
        return finding("E112", pointer.oid, f"it names {len(listing.files)} files instead of {pointer.nfiles}")
    if listing.oid != pointer.oid:
        return finding("E112", pointer.oid, "it names a file twice, or is not written as DVC writes it")
    folders = {str(folder) for path in listing.files for folder in PurePosixPath(path).parents}
    if clash := sorted(folders & listing.files.keys()):
        return finding("E112", pointer.oid, f"`{clash[0]}` is a file and a folder")
    return listing


def settle(arrival: Arrival, listing: Listing) -> list[Finding]:
    """Make the bundle of its objects, prove it, and put it in its place; returns what is wrong with it instead.

    Raises:
        FixityError: another bundle has come to stand in its place.
        OSError: the archive cannot be written.
    """
    folder = arrival.staging / publication.BAG
    _assemble(arrival, listing, folder)
    if wrong := _disprove(arrival, folder):
        return wrong
    durable.flush_tree(folder)
    dvc.store_objects(arrival.archive, folder, listing)
    _move(arrival, folder)
    _remove(arrival.archive, arrival.staging)
    return []


def tidy(archive: Archive, bundle_ids: Collection[str]) -> None:
    """Remove what pulls that were cut short have left of bundles that are here."""
    wanted = {_purpose(each) for each in bundle_ids}
    for each in publication.abandoned(archive):
        if each.gone and each.owner.description in wanted:
            _remove(archive, each.path)


def _assemble(arrival: Arrival, listing: Listing, folder: Path) -> None:
    taken: set[str] = set()
    for path, md5 in listing.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        source = arrival.objects.place(md5)
        # Files with the same bytes share them only where the archive's files may share theirs with the cache.
        shared = (md5 not in taken or arrival.objects.hardlinks) and _link(source, target)
        if not shared:
            shutil.copyfile(source, target, follow_symlinks=False)
        taken.add(md5)


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        return False
    return True


def _disprove(arrival: Arrival, folder: Path) -> list[Finding]:
    """Say in what the bag differs from the bundle that git knows; nothing when it is that bundle."""
    try:
        found = list(bag.verify(folder))[:_SHOWN]
        identity, named = bag.identity(folder), bag.read_info(folder).bundle_id
    except (OSError, ReprokitError) as error:
        told = error.message if isinstance(error, ReprokitError) else error.strerror or str(error)
        return [finding("E113", arrival.bundle, told)]
    if identity != arrival.pointer.identity or named != arrival.bundle:
        found.append(finding("E113", bag.MANIFEST, f"it is that of `{named}`, {identity}"))
    size = sum((folder / path).stat().st_size for path, _ in bag.walk(folder))
    if size != arrival.pointer.size:
        found.append(finding("E113", arrival.bundle, f"it has {size} bytes instead of {arrival.pointer.size}"))
    return found


def _move(arrival: Arrival, folder: Path) -> None:
    target = arrival.archive.payload(arrival.bundle)
    durable.make_folder(target.parent)
    _require_free(arrival.archive, arrival.bundle)
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        # Somebody else was faster. It is whole if it is the same: it was proven before it was moved there.
        if bag.identity(target) != arrival.pointer.identity:
            raise FixityError(f"another bundle stands at `{target}`", hint="move it away, then pull again") from error
    durable.flush_folder(target.parent)
