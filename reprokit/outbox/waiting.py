"""The outbox: bundles that wait to be copied to a mirror, a file for each mirror and bundle.

It is this copy's own, and survives whatever happens to the machine. What a person asks for is written here first, and
leaves when the ledger says that it was done; so whoever is killed on the way leaves a bundle that waits. Where a bundle
is to go is kept as plain JSON: what it means is for the mirror to say.

`.reprokit/outbox/<mirror>/<bundle id>.json` is one wish, `<bundle id>.lock` beside it is held by who carries it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from filelock import FileLock, Timeout
from msgspec import Meta, Struct

from reprokit import clock
from reprokit.archive import durable, months, own_folders, small_file
from reprokit.archive.layout import Archive, is_bundle_id
from reprokit.bundle import canonical
from reprokit.bundle.values import Json, Time
from reprokit.errors import UnreadableError, UsageError

LOG = "last.log"
"""What the last drain in the background had to say; in the outbox itself."""

_SUFFIX = ".json"
_LOCK = ".lock"
_DESK = "lock"
_MIRROR = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_LARGEST = 1 << 20
_PATIENCE = 30.0
"""Seconds to wait for who writes into the outbox just now; each of them needs milliseconds."""


class Waiting(Struct, frozen=True, kw_only=True):
    """A bundle that waits to be copied to a mirror, and why it still does."""

    bundle: Annotated[str, Meta(description="bundle id")]
    mirror: Annotated[str, Meta(examples=["wandb"])]
    destination: Annotated[dict[str, Json], Meta(description="where it is to go, as that mirror writes it")]
    queued: Annotated[Time, Meta(description="since when it waits")]
    asked: Annotated[Time, Meta(description="when it was asked for last")]
    state: Annotated[
        Literal["waiting", "refused", "exported"],
        Meta(
            description="`refused`: it needs a person; `exported`: it was written for the mirror's own program, and "
            "waits to be found on the mirror"
        ),
    ] = "waiting"
    tries: Annotated[int, Meta(description="how often it was tried")] = 0
    tried: Annotated[Time | None, Meta(description="when it was tried last")] = None
    reason: Annotated[str | None, Meta(description="why it still waits")] = None
    hint: Annotated[str | None, Meta(description="what to do about it")] = None
    export: Annotated[dict[str, Json] | None, Meta(description="what was written for the mirror's program")] = None


class Damaged(Struct, frozen=True, kw_only=True):
    """A file of the outbox that says nothing. It stays, and keeps no other from being sent."""

    path: Annotated[str, Meta(description="relative to the archive")]
    reason: str


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What the outbox holds: who waits, longest first, and what cannot be read."""

    waiting: tuple[Waiting, ...] = ()
    damaged: tuple[Damaged, ...] = ()


def place(archive: Archive, mirror: str, bundle_id: str) -> Path:
    """Tell where a wish is kept.

    Raises:
        UsageError: the mirror or the bundle has a name that is none.
    """
    if _MIRROR.fullmatch(mirror) is None or not is_bundle_id(bundle_id):
        raise UsageError(f"`{bundle_id}` cannot wait for `{mirror}`", hint="see `reprokit list`")
    return archive.outbox / mirror / f"{bundle_id}{_SUFFIX}"


def queue(archive: Archive, bundle_id: str, destination: Mapping[str, Json]) -> Waiting:
    """Ask for a bundle to be copied to a mirror; `destination` names it under `mirror`.

    A bundle that waits already goes where it is now asked to go, and what it was refused for is forgotten.

    Raises:
        OSError: the archive cannot be written.
        UsageError: a link stands where the outbox belongs, or the mirror or the bundle has a name that is none.
        UnreadableError: another process keeps the outbox to itself.
    """
    mirror = str(destination.get("mirror", ""))
    path = place(archive, mirror, bundle_id)
    now = clock.text(clock.now())
    # As it is read again: in JSON there is no tuple.
    filed = canonical.decode(canonical.line(destination), dict[str, Json])
    new = Waiting(bundle=bundle_id, mirror=mirror, destination=filed, queued=now, asked=now)
    with _desk(archive):
        before = _read(archive, path)
        if isinstance(before, Waiting):
            kept = {name: getattr(before, name) for name in ("queued", "tries", "tried", "export")}
            new = msgspec.structs.replace(new, **kept)
        _write(archive, new)
    return new


def contents(archive: Archive) -> Contents:
    """Read the outbox; its cost grows with what waits, not with the archive. Nothing is changed.

    Raises:
        UsageError: a link stands where the outbox belongs.
        OSError: it cannot be listed.
    """
    own_folders.require_private(archive)
    waiting: list[Waiting] = []
    damaged: list[Damaged] = []
    for entry in months.listed(archive.outbox):
        if entry.name in {LOG, _DESK}:
            continue
        if not entry.is_dir(follow_symlinks=False) or _MIRROR.fullmatch(entry.name) is None:
            damaged.append(_damage(archive, Path(entry.path), "it does not belong in the outbox"))
            continue
        for file in months.listed(entry.path):
            if not file.name.endswith(_LOCK):
                found = _read(archive, Path(file.path))
                # Gone by now: somebody has just carried it out.
                if isinstance(found, Waiting):
                    waiting.append(found)
                elif found is not None:
                    damaged.append(found)
    waiting.sort(key=lambda each: (clock.parse(each.queued), each.bundle, each.mirror))
    return Contents(waiting=tuple(waiting), damaged=tuple(damaged))


@contextmanager
def claim(archive: Archive, wanted: Waiting) -> Iterator[Waiting | None]:
    """Take it upon oneself to copy a bundle, and give the wish as it now is.

    `None` when another process has taken it, which is not waited for, or when it is not wished any more. The death of
    whoever has taken it frees it.

    Raises:
        OSError: the archive cannot be written.
        NotImplementedError: the file system knows no locks.
        UsageError: a link stands where the outbox belongs.
        UnreadableError: another process keeps the outbox to itself.
    """
    path = place(archive, wanted.mirror, wanted.bundle)
    lock = FileLock(path.with_suffix(_LOCK), timeout=0)
    # Locks are taken and removed under the desk's lock, so that nobody holds one whose file is gone.
    with _desk(archive):
        taken = _acquire(archive, lock)
        now = _read(archive, path) if taken else None
    if not taken:
        yield None
        return
    try:
        yield now if isinstance(now, Waiting) else None
    finally:
        with suppress(UnreadableError, OSError), _desk(archive):
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def update(archive: Archive, before: Waiting, after: Waiting) -> None:
    """Note what became of a try. A wish that was made anew meanwhile stays as it is, and waits for the next one.

    Raises:
        OSError: the archive cannot be written.
        UsageError: a link stands where the outbox belongs.
        UnreadableError: another process keeps the outbox to itself.
    """
    with _desk(archive):
        if _read(archive, place(archive, before.mirror, before.bundle)) == before:
            _write(archive, after)


def remove(archive: Archive, done: Waiting) -> None:
    """Take out of the outbox what was carried out. A wish that was made anew meanwhile stays.

    Raises:
        OSError: the archive cannot be written.
        UsageError: a link stands where the outbox belongs.
        UnreadableError: another process keeps the outbox to itself.
    """
    path = place(archive, done.mirror, done.bundle)
    with _desk(archive):
        if _read(archive, path) == done:
            path.unlink(missing_ok=True)
            durable.flush_folder(path.parent)


def keep_log(archive: Archive, text: str) -> None:
    """Replace what the last drain in the background had to say.

    Raises:
        OSError: the archive cannot be written.
        UsageError: a link stands where the outbox belongs.
    """
    durable.write(archive.outbox / LOG, text.encode("utf-8", errors="replace"), archive=archive)


@contextmanager
def _desk(archive: Archive) -> Iterator[None]:
    """Be the only one who writes into the outbox, for the moment that it takes."""
    durable.prepare(archive)
    own_folders.require_folders(archive, archive.outbox)
    durable.make_folder(archive.outbox)
    path = archive.outbox / _DESK
    _require_own_lock(path)
    lock = FileLock(path, timeout=_PATIENCE)
    try:
        lock.acquire()
    except Timeout:
        raise UnreadableError(
            f"another process keeps the outbox of `{archive.root}` to itself", hint="try again when it is over"
        ) from None
    except NotImplementedError:
        # A file system without locks: a wish is written whole or not at all there, too.
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _acquire(archive: Archive, lock: FileLock) -> bool:
    path = Path(lock.lock_file)
    own_folders.require_folders(archive, path.parent)
    if not path.parent.is_dir():
        return False
    _require_own_lock(path)
    try:
        lock.acquire()
    except Timeout:
        return False
    return True


def _require_own_lock(path: Path) -> None:
    """Refuse to lock what is no regular file: to open a link or a pipe would reach elsewhere."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UsageError(
            f"`{path}` is no lock file, and stands where one belongs", hint="see what it is, then remove it"
        )


def _write(archive: Archive, wish: Waiting) -> None:
    durable.write(place(archive, wish.mirror, wish.bundle), canonical.record(wish), archive=archive)


def _read(archive: Archive, path: Path) -> Waiting | Damaged | None:
    """Read a wish, or say what is wrong with its file; `None` when it is gone."""
    try:
        wish = canonical.decode(small_file.read(path, most=_LARGEST), Waiting)
        for moment in (wish.queued, wish.asked, wish.tried or wish.asked):
            clock.parse(moment)  # of the form of a time, it may yet be none
    except FileNotFoundError:
        return None
    except OSError as error:
        return _damage(archive, path, error.strerror or str(error))
    except ValueError as error:  # of which a `msgspec.DecodeError` is one
        return _damage(archive, path, str(error))
    # The name of the file and what it says must agree, as paths are made of the latter.
    if (wish.mirror, f"{wish.bundle}{_SUFFIX}") != (path.parent.name, path.name) or not is_bundle_id(wish.bundle):
        return _damage(archive, path, "it speaks of another bundle than its name does")
    return wish


def _damage(archive: Archive, path: Path, reason: str) -> Damaged:
    return Damaged(path=str(archive.relative(path)), reason=reason)
