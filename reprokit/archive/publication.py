"""Publishing a sealed bundle: one rename, without a lock.

A bundle is made in a staging folder of its own below `.reprokit/staging`, on the same file system as its place. It is
flushed to disk, marked as pending and renamed. Whoever is killed on the way leaves a staging folder and nothing else;
whoever looks into `bundles/` sees a whole bundle or none.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from reprokit import clock
from reprokit.archive import catalog, durable, own_folders, owner, pending, small_file
from reprokit.archive.layout import Archive, is_bundle_id
from reprokit.archive.owner import Owner
from reprokit.archive.pending import Marker
from reprokit.archive.tags import labels as tags
from reprokit.bundle import bag, canonical, compression
from reprokit.bundle.bag import BagInfo
from reprokit.bundle.writing import Label
from reprokit.errors import CaptureError, FixityError, NotFoundError, ReprokitError

OWNER = "owner.json"
BAG = "bag"
BEGUN = "begun.json"
SPOOL = "spool"
"""With either in it, a staging folder holds what exists nowhere else: it can become a bundle though its owner ended."""
_DIGITS = 8  # of the identity, at the end of a bundle id


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What became of a sealed bundle.

    `new` is false when the archive held equal content already; then `bundle_id` and `path` are those of the bundle that
    holds it, and `path` may be absent when only its catalog entry is here.
    """

    bundle_id: str
    path: Path
    new: bool


@dataclass(frozen=True, kw_only=True)
class Abandoned:
    """A staging folder whose owner is known to have ended.

    `gone` is false while the evaluation that it watched may still write into the folder.
    """

    path: Path
    owner: Owner
    gone: bool


@contextmanager
def _told(archive: Archive) -> Iterator[None]:
    """Turn what the file system says into the user's words."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise CaptureError(
            f"the archive `{archive.root}` cannot be written: {reason}",
            hint="make room or mend its permissions, then capture the outputs with `reprokit capture --from`",
        ) from error


def stage(archive: Archive, owned_by: Mapping[str, str] | None = None) -> Path:
    """Make a fresh private folder in which a bundle can be made; the bag goes into its folder `bag`.

    `owned_by` may hold a `description` for people. The owner is the calling process: for as long as it runs, nobody
    clears the folder away.

    Raises:
        CaptureError: the archive cannot be written.
        UsageError: a link stands where its private folders belong.
    """
    described = Owner(
        process=owner.process(os.getpid()),
        description=dict(owned_by or {}).get("description", "a capture"),
        created=clock.text(clock.now()),
    )
    with _told(archive):
        durable.prepare(archive)
        archive.staging.mkdir(exist_ok=True)
        folder = archive.staging / f"{clock.compact(clock.now())}-{secrets.token_hex(8)}"
        # It appears with its owner in it, so that nobody finds it without one.
        unnamed = archive.scratch / folder.name
        unnamed.mkdir(mode=0o700)
        (unnamed / OWNER).write_bytes(canonical.record(described))
        unnamed.rename(folder)
    return folder


def record_evaluation(archive: Archive, staging: Path, pid: int) -> None:
    """Note the process of the evaluation, which may outlive its observer and still write into the staging folder.

    Raises:
        CaptureError: the archive cannot be written.
    """
    with _told(archive):
        described = canonical.decode(small_file.read(staging / OWNER), Owner)
        updated = msgspec.structs.replace(described, evaluation=owner.process(pid))
        durable.write(staging / OWNER, canonical.record(updated), archive=archive)


def _staging_and_bag(archive: Archive, staged: Path) -> tuple[Path, Path]:
    parts = staged.absolute().relative_to(archive.staging).parts
    staging = archive.staging / parts[0]
    return staging, staging.joinpath(*parts[1:]) if len(parts) > 1 else staging / BAG


def content_of(archive: Archive, bundle_id: str) -> str | None:
    """Give the content digest of a bundle, from its bag or else from its catalog entry; `None` when it has neither."""
    try:
        return bag.read_info(archive.payload(bundle_id)).content_digest
    except ReprokitError:
        pass
    try:
        return catalog.read(archive, bundle_id).content_digest
    except ReprokitError:
        return None


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - measured at 10,000 names: a fifth of the time of `iterdir`
    except FileNotFoundError:
        return []


def holder(archive: Archive, sealed: Path, info: BagInfo) -> str | None:
    """Find the bundle that holds content equal to that of a sealed one, if the archive has it.

    Equal content has an equal id, unless another version of zstd compressed it; only then are others looked at, and
    only those of the same start, harness and model: equal content says the same of them.
    """
    compressed = any(path.endswith(compression.SUFFIX) for path in bag.read_manifest(sealed))
    candidates = _alike(archive, info.bundle_id) if compressed else [info.bundle_id]
    return next((each for each in candidates if content_of(archive, each) == info.content_digest), None)


def _alike(archive: Archive, bundle_id: str) -> list[str]:
    """List the ids, published or in the catalog, that differ from this one in the digits of the identity at most."""
    prefix = bundle_id[:-_DIGITS]
    published = _names(archive.payload(bundle_id).parent)
    entered = _names(archive.entry(bundle_id).parent)
    names = {
        name.removesuffix(".dvc").removesuffix(".json") for name in (*published, *entered) if name.startswith(prefix)
    }
    return sorted(each for each in names if is_bundle_id(each) and each[:-_DIGITS] == prefix)


def publish(archive: Archive, staged: Path) -> Publication:
    """Put a sealed bundle in its place, where it is visible as a whole from one moment to the next.

    `staged` is the folder that `stage` gave (then the bag is its folder `bag`) or the bag itself, somewhere in it. The
    staging folder is gone afterwards. The labels of content that is there already go to the bundle that holds it.
    Registering is left to `registration.fold`.

    Raises:
        NotFoundError: there is no sealed bundle.
        FixityError: the bundle has not the identity that its id says.
        CaptureError: the archive cannot be written; then nothing is visible, and the staging folder is still there.
        UsageError: a link stands where a folder of the archive belongs; the same.
    """
    staging, sealed = _staging_and_bag(archive, staged)
    info = bag.read_info(sealed)
    _check_name(sealed, info)
    with _told(archive):
        if (known := holder(archive, sealed, info)) is not None:
            _add_labels(archive, known, info)
            remove(staging)
            return Publication(bundle_id=known, path=archive.payload(known), new=False)
        durable.flush_tree(sealed)
        staged_as = sealed.relative_to(archive.staging).as_posix()
        marker = Marker(bundle=info.bundle_id, staged=staged_as, published=clock.text(clock.now()))
        pending.mark(archive, marker)
        new = _move(archive, sealed, info)
        if not new:
            pending.unmark(archive, marker)
        remove(staging)
    return Publication(bundle_id=info.bundle_id, path=archive.payload(info.bundle_id), new=new)


def _add_labels(archive: Archive, bundle_id: str, info: BagInfo) -> None:
    """Keep the labels that were given with content which is there already; what cannot be one is not kept."""
    if info.name or info.tags or info.note:
        with suppress(ReprokitError):
            tags.add(archive, bundle_id, Label(name=info.name, tags=info.tags, note=info.note))


def _check_name(sealed: Path, info: BagInfo) -> None:
    digits = bag.identity(sealed).removeprefix("sha256:")[:_DIGITS]
    if not is_bundle_id(info.bundle_id) or not info.bundle_id.endswith(f"-{digits}"):
        raise FixityError(f"`{info.bundle_id}` is not the id of the bundle in `{sealed}`", hint="capture the run again")


def _move(archive: Archive, sealed: Path, info: BagInfo) -> bool:
    """Rename a bag into place; false when another process has just published equal content."""
    place = archive.payload(info.bundle_id)
    own_folders.require_folders(archive, place.parent)
    durable.make_folder(place.parent)
    try:
        sealed.rename(place)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        if bag.read_info(place).content_digest != info.content_digest:
            raise CaptureError(
                f"the archive holds another bundle of the id `{info.bundle_id}`", hint="capture into another archive"
            ) from error
        return False
    durable.flush_folder(place.parent)
    return True


def remove(staging: Path) -> None:
    """Remove a staging folder of one's own, or an abandoned one: files by name, then folders, last of all its owner.

    What cannot be removed now, or is left by a kill, is found by `abandoned` when this process has ended. No link is
    followed.
    """
    with suppress(OSError):
        entries = sorted(os.scandir(staging), key=lambda entry: (entry.is_dir(follow_symlinks=False), entry.name))
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            elif entry.name != OWNER:
                Path(entry.path).unlink(missing_ok=True)
        (staging / OWNER).unlink(missing_ok=True)
        staging.rmdir()


def _owner(staging: Path) -> Owner | None:
    try:
        return canonical.decode(small_file.read(staging / OWNER), Owner)
    except (OSError, msgspec.DecodeError):
        return None


def stagings(archive: Archive) -> list[Path]:
    """List all staging folders: captures under way, and those that were abandoned.

    Raises:
        UsageError: a link stands where they belong.
    """
    own_folders.require_private(archive)
    folders = (archive.staging / name for name in sorted(_names(archive.staging)))
    return [folder for folder in folders if folder.is_dir() and not folder.is_symlink()]


def abandoned(archive: Archive, ended: Collection[str] = ()) -> list[Abandoned]:
    """List the staging folders whose owner is known to have ended.

    Those of another host cannot be judged from here and are left out, unless the host is named in `ended`: somebody
    knows that nothing runs there any more.

    Raises:
        UsageError: a link stands where they belong, or they came with the archive's commits.
    """
    found: list[Abandoned] = []
    for folder in stagings(archive):
        described = _owner(folder)
        if described is not None and owner.life(described.process, ended) is owner.Life.DEAD:
            found.append(Abandoned(path=folder, owner=described, gone=owner.is_gone(described, ended)))
    if found:
        # It is finished and cleared away by what it says of itself.
        own_folders.require_untracked(archive)
    return found


def unjudged(archive: Archive) -> list[Owner]:
    """List who owns the staging folders of which nobody can say from here whether they are still worked on."""
    owners = (_owner(folder) for folder in stagings(archive))
    return [each for each in owners if each is not None and owner.life(each.process) is owner.Life.UNKNOWN]


def take_over(archive: Archive, staging: Path) -> None:
    """Make the calling process the owner of an abandoned staging folder: for as long as it runs, it is not abandoned.

    Raises:
        CaptureError: the archive cannot be written.
        NotFoundError: somebody else has removed the folder.
    """
    described = _owner(staging)
    if described is None:
        raise NotFoundError(f"`{staging.name}` is no longer in the staging area")
    mine = msgspec.structs.replace(described, process=owner.process(os.getpid()))
    with _told(archive):
        durable.write(staging / OWNER, canonical.record(mine), archive=archive)


def may_become_a_bundle(staging: Path) -> bool:
    """Tell whether an abandoned staging folder holds what was captured and exists nowhere else."""
    return any((staging / name).exists() for name in (BEGUN, SPOOL))


def clear(archive: Archive, *, but: Callable[[Path], bool] = lambda _: False) -> list[Path]:
    """Remove the staging folders whose owner and whose evaluation are known to have ended; returns those removed.

    Those that `but` accepts stay. Nothing outside the staging folder is touched but the markers of the bundles in it,
    and no link is followed.

    Raises:
        CaptureError: the archive cannot be written.
        UsageError: a link stands where they belong, or they came with the archive's commits.
    """
    with _told(archive):
        for folder in stagings(archive):
            with suppress(OSError):
                folder.rmdir()  # which succeeds for an empty one alone: its owner was removed, and it was not
        return [each.path for each in abandoned(archive) if each.gone and not but(each.path) and _clear(archive, each)]


def _clear(archive: Archive, each: Abandoned) -> bool:
    # First the markers: with the folder gone they would count as those of a published bundle.
    _forget(archive, each.path)
    remove(each.path)
    return not each.path.exists()


def _forget(archive: Archive, staging: Path) -> None:
    for marker in pending.markers(archive):
        if marker.staged.partition("/")[0] == staging.name and (archive.staging / marker.staged).exists():
            pending.unmark(archive, marker)
