"""Completing the locks of environments: asking package indexes for the digests that a bundle cannot hold.

It can be cut short at any time: what is learnt of a lock is written whole as soon as all of its packages have been
asked for, and what was written and not committed is committed the next time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from reprokit import clock, git
from reprokit.archive import locks, references
from reprokit.archive.layout import Archive
from reprokit.archive.locks import CompletedLock, Hashed, Unhashed
from reprokit.bundle import bag
from reprokit.bundle.reading import LOCK
from reprokit.errors import InputMissingError, InvalidRecordError, ReprokitError
from reprokit.sync.locks.package_index import Answer, PackageIndex, Pin, Refusal, UnreachableError

_LARGEST = 16 << 20
_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)")


@dataclass(frozen=True, kw_only=True)
class Completion:
    """What became of the locks. `bundles` are those whose lock was completed now, `left` those whose time is to come.

    `reason` says why some are left; `packages` counts those with digests, over all the locks, and `without` maps the
    others (`name==version`) to why they have none. `uncommitted` says why git does not hold the records yet.
    """

    bundles: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    reason: str | None = None
    packages: int = 0
    without: dict[str, str] = field(default_factory=dict)
    uncommitted: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Lock:
    """A lock: its digest, its pins, what it says cannot be had from an index, and the bundles that have it."""

    digest: str
    pins: tuple[Pin, ...]
    elsewhere: tuple[Unhashed, ...]
    bundles: list[str] = field(default_factory=list)


def complete(archive: Archive, index: PackageIndex, progress: Callable[[str], None] = lambda _: None) -> Completion:
    """Complete every lock of the bundles whose payload is here, unless all of its packages were asked for before.

    `progress` is told a bundle of each lock that is looked at. Never raises for an index that is out of reach: the
    bundles are `left`.

    Raises:
        OSError: the archive cannot be written.
    """
    wanted = _unfinished(archive)
    done: list[CompletedLock] = []
    reason: str | None = None
    for lock in wanted:
        progress(lock.bundles[0])
        try:
            answers = index.ask(lock.pins)
        except (UnreachableError, InputMissingError) as error:
            reason = error.message
            break
        done.append(_completed(lock, answers))
        locks.write(archive, done[-1])
    return Completion(
        bundles=tuple(each for lock in wanted[: len(done)] for each in lock.bundles),
        left=tuple(each for lock in wanted[len(done) :] for each in lock.bundles),
        reason=reason,
        packages=len({(each.name, each.version) for record in done for each in record.hashed}),
        without={f"{each.name}=={each.version}": each.reason for record in done for each in record.unhashed},
        uncommitted=_commit(archive),
    )


def _unfinished(archive: Archive) -> list[_Lock]:
    found: dict[str, _Lock | None] = {}
    for bundle_id in references.bundle_ids(archive):
        data = _bytes(archive, bundle_id)
        if data is None:
            continue
        digest = locks.digest_of(data)
        if digest not in found:
            found[digest] = None if _is_known(archive, digest) else _parsed(data, digest)
        if (lock := found[digest]) is not None:
            lock.bundles.append(bundle_id)
    return [lock for lock in found.values() if lock is not None]


def _is_known(archive: Archive, digest: str) -> bool:
    try:
        known = locks.newest(archive, digest)
    except InvalidRecordError:
        return False  # what it said is learnt again
    return known is not None and not any(each.again for each in known.unhashed)


def _bytes(archive: Archive, bundle_id: str) -> bytes | None:
    """Read the lock of a bundle; `None` when its payload is not here."""
    try:
        with bag.open_regular(archive.payload(bundle_id) / bag.PAYLOAD / LOCK) as stream:
            return stream.read(_LARGEST)
    except OSError:
        return None


def _parsed(data: bytes, digest: str) -> _Lock | None:
    """Read a lock as data; `None` when it pins nothing."""
    pins: list[Pin] = []
    elsewhere: list[Unhashed] = []
    for line in data.decode("utf-8", errors="replace").splitlines():
        if pin := _PIN.fullmatch(line.strip()):
            pins.append(Pin(pin["name"], pin["version"]))
        elif noted := locks.NOT_FROM_AN_INDEX.fullmatch(line.strip()):
            elsewhere.append(Unhashed(name=noted["name"], version=noted["version"], reason=f"it {noted['reason']}"))
    return _Lock(digest=digest, pins=tuple(pins), elsewhere=tuple(elsewhere)) if pins else None


def _completed(lock: _Lock, answers: dict[Pin, Answer]) -> CompletedLock:
    hashed: list[Hashed] = []
    unhashed = list(lock.elsewhere)
    for pin, answer in answers.items():
        match answer:
            case Refusal(reason=reason, passing=passing):
                unhashed.append(Unhashed(name=pin.name, version=pin.version, reason=reason, again=passing))
            case digests:
                hashed.append(Hashed(name=pin.name, version=pin.version, digests=list(digests)))
    return CompletedLock(
        lock=lock.digest, asked=clock.text(clock.now()), hashed=sorted(hashed), unhashed=sorted(unhashed)
    )


def _commit(archive: Archive) -> str | None:
    """Commit the records that git does not hold yet; returns what is in the way, if anything."""
    if not archive.locks.is_dir():
        return None
    untracked = ["ls-files", "-z", "--others", "--exclude-standard", "--", archive.locks.name]
    # Added to the index by one that was killed before its commit.
    added = ["diff-index", "-z", "--cached", "--name-only", "--diff-filter=A", "HEAD", "--", archive.locks.name]
    try:
        listed = [path for asked in (untracked, added) for path in git.run(asked, directory=archive.root).split(b"\0")]
        paths = [PurePosixPath(os.fsdecode(path)) for path in dict.fromkeys(listed) if path.endswith(b".json")]
        if paths:
            git.commit_paths(
                archive.root, paths, "complete a lock" if len(paths) == 1 else f"complete {len(paths)} locks"
            )
    except ReprokitError as error:
        return error.message
    return None
