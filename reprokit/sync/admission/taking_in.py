"""Taking a bundle that came from elsewhere into an archive, whoever brought it: a mirror, or a file of a colleague's.

It arrives in a staging folder of its own, is proven there by itself (`proof`), and takes its place by one
rename, byte for byte as it came: identity, tag files and labels are those of its origin. Whoever is killed on the way
leaves a staging folder and nothing else, which the next arrival clears away.
"""

from __future__ import annotations

import errno
import shlex
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_IMODE

from reprokit import clock
from reprokit.archive import durable, dvc, notes, own_folders, publication, registration
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.bundle import bag
from reprokit.bundle.reading import Bundle
from reprokit.bundle.values import Json
from reprokit.errors import CaptureError, FixityError, NotFoundError, UnreadableError
from reprokit.sync import leftovers
from reprokit.sync.admission import proof as admission_proof
from reprokit.sync.remotes.push import proven


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a bundle came from: as the ledger is to say it, and as the commit is (`verb`, id, from `place`)."""

    event: str
    verb: str
    detail: Mapping[str, Json]
    place: str


@dataclass(frozen=True, kw_only=True)
class Admitted:
    """What became of a bundle that arrived.

    `new` is false when the archive held it, or its content, already and whole; `bundle_id` and `identity` are then
    those of the bundle that it holds. `files` and `octets` (bytes) are those of the bundle, tag files included.
    """

    bundle_id: str
    identity: str
    path: Path
    new: bool
    files: int
    octets: int
    remarks: tuple[str, ...] = ()


@contextmanager
def arrival(archive: Archive, source: str) -> Iterator[Path]:
    """Make a private staging folder for a bundle that is to come; its empty folder `bag` is for the bundle.

    Nothing of it is left when the block ends, and nothing is left of arrivals that were killed before.

    Raises:
        UnreadableError: the archive cannot be written.
        UsageError: a link stands where its private folders belong.
    """
    with _told(archive):
        leftovers.clear_away(archive, leftovers.ARRIVAL)
        staging = publication.stage(archive, {"description": f"{leftovers.ARRIVAL} {source}"})
        (staging / publication.BAG).mkdir()
    try:
        yield staging
    finally:
        publication.remove(staging)


def admit(
    archive: Archive, staging: Path, origin: Origin, *, expected: str | None = None, most: int | None = None
) -> Admitted:
    """Prove the bundle in the folder `bag` of a staging folder, and take it into the archive.

    It is published and registered, and an event says where it came from. One that is here already is proven where it
    is, and nothing about it changes, its labels neither; one that git knows and whose files are not here gets them
    back.

    Args:
        archive: the archive that it is to be in.
        staging: the folder that `arrival` gave.
        origin: where it came from.
        expected: the identity that somebody says it has, if anybody does.
        most: how many bytes were spoken of, if anybody did.

    Raises:
        FixityError: it is not what was sealed or what was expected, or what the archive holds of it is damaged.
        InvalidRecordError: its records are not valid.
        NewerFormatError: its format is newer than this version reads.
        NotFoundError: there is no bundle; or git knows one of the same content, whose files are not here.
        UnreadableError: the archive cannot be written.
    """
    sealed = staging / publication.BAG
    with _told(archive):
        admission_proof.look_over(sealed, expected=expected, most=most)
        _make_ours(staging, sealed)
        bundle = admission_proof.prove(sealed, expected=expected, most=most)
        files, octets = _measured(sealed)
        holding, new = _take_in(archive, bundle)
    admitted = Admitted(
        bundle_id=holding,
        identity=bag.identity(archive.payload(holding)),
        path=archive.payload(holding),
        new=new,
        files=files,
        octets=octets,
    )
    remarks = _settle(archive, admitted, origin) if new else _explain(bundle, holding)
    return replace(admitted, remarks=tuple(remarks))


@contextmanager
def _told(archive: Archive) -> Iterator[None]:
    """Turn what the file system says, and what publishing makes of it, into the words for who is not capturing."""
    try:
        yield
    except CaptureError as error:
        raise UnreadableError(error.message, hint="make room, or mend its permissions") from error
    except OSError as error:
        raise UnreadableError(
            f"the archive `{archive.root}` cannot be written: {error.strerror or error}",
            hint="make room, or mend its permissions",
        ) from error


def _make_ours(staging: Path, folder: Path) -> None:
    """Give every file an inode of its own and the permissions that our files have: no program's cache shares it."""
    spare = staging / "spare"
    spare.write_bytes(b"")
    folders = {folder}
    file_mode = S_IMODE(spare.stat().st_mode)
    for file in [folder / path for path, regular in bag.walk(folder) if regular]:
        if file.lstat().st_nlink > 1:
            with bag.open_regular(file) as reading, spare.open("wb") as writing:
                shutil.copyfileobj(reading, writing)
            spare.replace(file)
        file.chmod(file_mode)
        folders |= {each for each in file.parents if each.is_relative_to(folder)}
    # The bag's own folder was made by us.
    for each in folders:
        each.chmod(S_IMODE(folder.stat().st_mode))


def _measured(folder: Path) -> tuple[int, int]:
    sizes = [(folder / path).lstat().st_size for path, _ in bag.walk(folder)]
    return len(sizes), sum(sizes)


def _take_in(archive: Archive, bundle: Bundle) -> tuple[str, bool]:
    """Put a proven bundle in its place, if nothing equal is there; returns the id of what is, and whether it is new."""
    info, sealed = bundle.info, bundle.path
    if archive.payload(info.bundle_id).is_dir():
        prove_in_place(archive, info.bundle_id, bundle.identity)
        return info.bundle_id, False
    if archive.pointer(info.bundle_id).is_file():
        _restore(archive, bundle)
        return info.bundle_id, True
    held = publication.holder(archive, sealed, info)
    if held is not None and not archive.payload(held).is_dir():
        raise NotFoundError(
            f"the archive knows its content as `{held}`, whose files are not here", hint=f"`reprokit pull {held}`"
        )
    published = publication.publish(archive, sealed)
    if not published.new:
        prove_in_place(archive, published.bundle_id)
    return published.bundle_id, published.new


def prove_in_place(archive: Archive, bundle_id: str, identity: str | None = None) -> int:
    """Prove a bundle that the archive holds, where it lies; returns how many files it has, tag files included.

    Raises:
        FixityError: it is damaged, or another than the one of this identity.
    """
    folder = archive.payload(bundle_id)
    mend = f"to get it anew, move `{shlex.quote(str(folder))}` away and pull again"
    if folder.is_symlink():
        raise FixityError(f"a link stands for the folder of `{bundle_id}`", hint="remove it, then pull again")
    try:
        registered = archive.pointer(bundle_id).is_file()
        listing = proven(archive, bundle_id)[1] if registered else dvc.survey(folder)
        found = bag.identity(folder)
    except (FixityError, UnreadableError) as error:
        raise FixityError(f"`{bundle_id}` is here, and damaged: {error.message}", hint=mend) from error
    if identity not in {None, found}:
        raise FixityError(f"the archive holds another bundle as `{bundle_id}`: `{found}`", hint=mend)
    return len(listing.files)


def _restore(archive: Archive, bundle: Bundle) -> None:
    """Put the files of a bundle in their place that git knows, and that are not here."""
    bundle_id = bundle.info.bundle_id
    sealed = bundle.path.rename(bundle.path.with_name(bundle_id))
    listing = dvc.survey(sealed)
    if dvc.pointer_to(sealed, listing) != dvc.read_pointer(archive.pointer(bundle_id)):
        raise FixityError(
            f"`{bundle_id}` is in the archive as another seal of it: git holds other tag files",
            hint=f"get it from a remote: `reprokit pull {bundle_id}`",
        )
    place = archive.payload(bundle_id)
    own_folders.require_folders(archive, place.parent)
    durable.flush_tree(sealed)
    dvc.store_objects(archive, sealed, listing)
    durable.make_folder(place.parent)
    try:
        sealed.rename(place)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        prove_in_place(archive, bundle_id, bundle.identity)  # somebody else was faster
    durable.flush_folder(place.parent)


def _settle(archive: Archive, admitted: Admitted, origin: Origin) -> Iterator[str]:
    """Register what was published, and note where it came from; yields what is left for later."""
    folding = registration.fold(archive)
    if admitted.bundle_id in folding.left:
        yield f"`{admitted.bundle_id}` is not registered yet: {folding.reason}"
    event = Event(
        event=origin.event,
        time=clock.text(clock.now()),
        bundle=admitted.bundle_id,
        identity=admitted.identity,
        detail=dict(origin.detail),
    )
    try:
        trouble = notes.note(archive, event, f"{origin.verb} {admitted.bundle_id} from {origin.place}")
    except OSError as error:
        yield f"it is here, and where it came from could not be noted in the ledger: {error.strerror or error}"
        return
    if trouble is not None:
        yield f"the ledger is written and not committed yet: {trouble}; `reprokit status` does it later"


def _explain(bundle: Bundle, holding: str) -> Iterator[str]:
    if holding != bundle.info.bundle_id:
        yield f"the content of `{bundle.info.bundle_id}` is here as `{holding}`: it was captured twice"
