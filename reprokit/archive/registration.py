"""Registering what was published: DVC objects, pointer, catalog entry, ledger event, one git commit.

Whoever gets the lock does it for all. Every step can be cut short and done again: what is written is derived from the
bundle and the moment of its publication, so it is the same the next time. The one thing that must not happen twice is a
ledger event; so a batch is noted in a journal, with the name of its ledger file, before that file is written. A journal
whose ledger file is there stands for a batch that only waits for its commit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct

from reprokit import clock, git
from reprokit.archive import catalog, durable, dvc, ledger, own_folders, pending, small_file
from reprokit.archive.layout import Archive, is_bundle_id
from reprokit.archive.ledger import Event
from reprokit.archive.pending import Marker
from reprokit.bundle import canonical
from reprokit.bundle.reading import open_bundle
from reprokit.errors import ReprokitError

BUSY = "another process is registering"
DEFERRED = "left to `reprokit sync`, as asked"


@dataclass(frozen=True, kw_only=True)
class Folding:
    """What became of the published bundles: ids registered, ids left for later, and why the first of those was.

    `deferred` says that it was wished so.
    """

    registered: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    reason: str | None = None
    deferred: bool = False


class Journal(Struct, frozen=True, kw_only=True):
    """A batch that is being registered. `ledger` is the file of its events, relative to the archive."""

    bundles: list[str]
    ledger: str


@dataclass(kw_only=True)
class _Progress:
    """`left` are those that could not be registered, `busy` those that wait for the holder of the lock, and why."""

    registered: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    busy: dict[str, str] = field(default_factory=dict)

    def report(self) -> Folding:
        left = self.left | self.busy
        return Folding(registered=tuple(self.registered), left=tuple(left), reason=next(iter(left.values()), None))


class _LockedByAnotherError(Exception):
    """Another process registers just now."""


def _journal_file(archive: Archive) -> Path:
    return archive.private / "journal.json"


@contextmanager
def _lock(archive: Archive) -> Iterator[None]:
    durable.prepare(archive)
    lock = FileLock(archive.lock, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise _LockedByAnotherError from None
    try:
        yield
    finally:
        lock.release()


def fold(archive: Archive) -> Folding:
    """Register every bundle that is published and waits for it, unless another process is doing so.

    Never raises for what stands in the way: the bundles are published all the same, and stay pending.
    """
    progress = _Progress()
    # Looked at again after each release: who found the lock taken meanwhile has its marker in place already.
    while (waiting := _still_waiting(archive, progress)).keys() - progress.busy:
        try:
            with _lock(archive):
                # Whoever had the lock has left to us what came after its last look.
                progress.busy.clear()
                _fold_batch(archive, progress)
        except _LockedByAnotherError:
            progress.busy = dict.fromkeys(waiting, BUSY)
        except ReprokitError as error:
            progress.left |= dict.fromkeys(waiting, error.message)
        except (OSError, NotImplementedError) as error:
            progress.left |= dict.fromkeys(waiting, f"the archive cannot be written: {error}")
    return progress.report()


def _still_waiting(archive: Archive, progress: _Progress) -> dict[str, list[Marker]]:
    found = pending.waiting(archive)
    return {bundle: markers for bundle, markers in found.items() if bundle not in progress.left}


def _fold_batch(archive: Archive, progress: _Progress) -> None:
    journal = _read_journal(archive)
    if journal is None:
        waiting = _still_waiting(archive, progress)
        journal = _register(archive, waiting, progress) if waiting else None
    if journal is None:
        return
    _commit(archive, journal)
    done = pending.waiting(archive)
    for bundle in journal.bundles:
        for marker in done.get(bundle, ()):
            pending.unmark(archive, marker)
    durable.flush_folder(archive.pending)
    _journal_file(archive).unlink(missing_ok=True)
    progress.registered += journal.bundles


def _read_journal(archive: Archive) -> Journal | None:
    try:
        journal = canonical.decode(small_file.read(_journal_file(archive)), Journal)
    except (OSError, msgspec.DecodeError):
        return None
    return journal if (archive.root / journal.ledger).is_file() else None


def _register(archive: Archive, waiting: Mapping[str, Sequence[Marker]], progress: _Progress) -> Journal | None:
    """Write everything but the commit; bundles that cannot be registered are left, with the reason."""
    events: list[Event] = []
    for bundle, markers in waiting.items():
        try:
            events.append(_register_one(archive, bundle, markers[0].published))
        except ReprokitError as error:
            progress.left[bundle] = error.message
    if not events:
        return None
    path = ledger.place(archive, events)
    journal = Journal(bundles=[event.bundle for event in events], ledger=str(archive.relative(path)))
    durable.write(_journal_file(archive), canonical.record(journal), archive=archive)
    ledger.append(archive, events)
    return journal


def _register_one(archive: Archive, bundle_id: str, published: str) -> Event:
    own_folders.require_folders(archive, archive.payload(bundle_id))
    pointer = dvc.register(archive, bundle_id)
    entry = catalog.encode(catalog.derive(open_bundle(archive.payload(bundle_id))))
    durable.write(archive.entry(bundle_id), entry, archive=archive)
    return Event(event=ledger.CAPTURED, time=published, bundle=bundle_id, identity=pointer.identity)


def _commit(archive: Archive, journal: Journal) -> None:
    written = [each for bundle in journal.bundles for each in (archive.pointer(bundle), archive.entry(bundle))]
    # A person may have removed some of it since; that is theirs to commit.
    paths = [archive.relative(path) for path in (*written, archive.root / journal.ledger) if path.is_file()]
    one = len(journal.bundles) == 1
    message = f"capture {journal.bundles[0]}" if one else f"capture {len(journal.bundles)} bundles"
    git.commit_paths(archive.root, paths, message)


def rescan(archive: Archive) -> list[str]:
    """List the published bundles that are neither registered nor marked as pending, sorted.

    It looks at every bundle: for `status` and repair, never on the way of a capture.
    """
    marked = {marker.bundle for marker in pending.markers(archive)}
    published = (path.name for path in archive.bundles.glob("*/*") if path.is_dir() and not path.is_symlink())
    return sorted(
        name for name in published if is_bundle_id(name) and name not in marked and not _is_registered(archive, name)
    )


def _is_registered(archive: Archive, bundle_id: str) -> bool:
    return archive.pointer(bundle_id).is_file() and archive.entry(bundle_id).is_file()


def mark_again(archive: Archive, bundle_ids: Sequence[str]) -> None:
    """Mark published bundles as pending, so that the next `fold` registers them.

    Raises:
        OSError: the archive cannot be written.
    """
    for bundle in bundle_ids:
        moment = clock.text(clock.now())
        pending.mark(archive, Marker(bundle=bundle, staged=pending.UNSTAGED, published=moment))
