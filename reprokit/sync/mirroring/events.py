"""What the ledger says of mirrors: a `mirrored` event holds the receipt of a mirror that has a bundle."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from reprokit import clock, git
from reprokit.archive import ledger, notes, registration
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.bundle.naming import UNDATED
from reprokit.errors import InvalidRecordError, ReprokitError
from reprokit.mirrors.interface import Receipt

MIRRORED = "mirrored"
_MARGIN = dt.timedelta(days=1)
"""By so much may the clock of a machine that ran an evaluation be ahead of one that mirrors it."""
_PATIENCE = 60.0
"""Seconds to wait for who registers bundles just now."""
_SECOND = len("20261123T031547Z")


@dataclass(kw_only=True)
class Said:
    """What the ledger of an archive says of mirrors; of its files none is read before it is needed, and none twice.

    A bundle is mirrored after its run began, and its id tells when that was: so of a new bundle nothing old is read,
    however many were mirrored before.
    """

    archive: Archive
    _batches: dict[Path, list[Event]] = field(default_factory=dict)

    def newest(self, *, mirror: str, address: str, identity: str, bundle: str | None = None) -> Receipt | None:
        """Give the newest receipt of a mirror for a bundle, by its identity; its id spares some reading."""
        receipts = self._receipts(identity, bundle)
        return next((each for each in receipts if (each.mirror, each.address) == (mirror, address)), None)

    def copies(self, *, identity: str, bundle: str) -> list[Receipt]:
        """Give the newest receipt for a bundle of each mirror, the newest of them first."""
        newest: dict[tuple[str, str], Receipt] = {}
        for receipt in self._receipts(identity, bundle):
            newest.setdefault((receipt.mirror, receipt.address), receipt)
        return list(newest.values())

    def _receipts(self, identity: str, bundle: str | None) -> Iterator[Receipt]:
        """Yield the receipts for a bundle, newest first."""
        found = [event for event in self._since(_beginning(bundle) if bundle else "") if event.identity == identity]
        for event in reversed(ledger.in_order(found)):
            with contextlib.suppress(msgspec.ValidationError):
                yield msgspec.convert(event.detail, Receipt)

    def note(self, bundle: str, identity: str, receipt: Receipt) -> None:
        """Write a receipt into the ledger and commit it, when it says something new.

        Should git be in the way it is on disk all the same, and `settle` commits it, or says why that cannot be.

        Raises:
            OSError: the archive cannot be written.
        """
        before = self.newest(mirror=receipt.mirror, address=receipt.address, identity=identity, bundle=bundle)
        if receipt.outcome == "there" and before is not None and _same(before, receipt):
            return
        event = Event(
            event=MIRRORED,
            time=clock.text(clock.now()),
            bundle=bundle,
            identity=identity,
            detail=msgspec.to_builtins(receipt),
        )
        path = ledger.append(self.archive, [event])
        with _alone(self.archive) as trouble, contextlib.suppress(ReprokitError):
            if trouble is None:
                message = f"mirror {bundle} on {receipt.mirror}"
                git.commit_paths(self.archive.root, [self.archive.relative(path)], message)

    def _since(self, second: str) -> Iterator[Event]:
        # Not kept, as it grows meanwhile: to list names is cheap.
        for path in ledger.batches(self.archive, [MIRRORED]):
            if path.name[:_SECOND] < second:
                return
            if path not in self._batches:
                # What cannot be read says nothing; that it cannot is for `validate` and `audit` to tell.
                self._batches[path] = []
                with contextlib.suppress(InvalidRecordError):
                    self._batches[path] = ledger.read(path)
            yield from self._batches[path]


def settle(archive: Archive) -> str | None:
    """Commit what is in the ledger and not yet in git, if anything; returns why that cannot be, if so."""
    with _alone(archive) as trouble:
        return trouble or notes.settle(archive)


@contextmanager
def _alone(archive: Archive) -> Iterator[str | None]:
    """Hold off whoever else commits, or say why that cannot be.

    Many captures may end while bundles are mirrored, and each wants to commit: it holds a lock then, and so do we.
    Whoever finds it taken has left its bundle to the one that holds it, so what was published meanwhile is registered.
    """
    lock = FileLock(archive.lock, timeout=_PATIENCE)
    trouble: str | None = None
    try:
        lock.acquire()
    except Timeout:
        trouble = registration.BUSY
    except (OSError, NotImplementedError) as error:
        trouble = f"the archive cannot be locked: {error}"
    try:
        yield trouble
    finally:
        lock.release()
    registration.fold(archive)


def _same(before: Receipt, now: Receipt) -> bool:
    return msgspec.structs.replace(before, outcome=now.outcome) == now


def _beginning(bundle: str) -> str:
    """Give the second before which nobody can have mirrored a bundle, as file names hold it; "" when nobody knows."""
    if bundle.startswith(UNDATED):
        return ""
    try:
        moment = dt.datetime.strptime(bundle[:_SECOND], "%Y%m%dT%H%M%SZ").replace(tzinfo=clock.UTC)
        return clock.compact(moment - _MARGIN)
    except (ValueError, OverflowError):  # of the form of a time, it may yet be none
        return ""
