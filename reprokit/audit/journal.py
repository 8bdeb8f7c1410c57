"""The journal of an audit under way: a line for each bundle that is done, so that a kill costs no more than one.

It is also what results are read from when the audit is over: a result is in memory only while it is looked at.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct

from reprokit import clock
from reprokit.audit.values import Audited
from reprokit.bundle import canonical
from reprokit.errors import UnreadableError, UsageError

_DIGITS = 16
_GOOD_FOR = dt.timedelta(days=2)  # an audit that was begun longer ago begins anew
_decoder = msgspec.json.Decoder(Audited)


class _Head(Struct, frozen=True, kw_only=True):
    """The first line: when the audit began, which names it."""

    started: str


@dataclass(kw_only=True)
class Journal:
    """The results of one audit; `done` are the bundles that have one, `earlier` how many an earlier call had done."""

    path: Path
    started: str
    done: set[str] = field(default_factory=set)
    earlier: int = 0
    _stream: BinaryIO | None = None

    def add(self, result: Audited) -> None:
        """Write down what came of a bundle.

        Raises:
            UnreadableError: it cannot be written; what was written before is kept.
        """
        try:
            if self._stream is None:
                self._stream = self.path.open("ab")
                if not self._stream.tell():
                    self._stream.write(canonical.line(_Head(started=self.started)) + b"\n")
            self._stream.write(canonical.line(result) + b"\n")
            self._stream.flush()
        except OSError as error:
            raise UnreadableError(
                f"the journal of the audit, `{self.path}`, cannot be written: {error.strerror}",
                hint="make room, then call it again: it goes on where it was",
            ) from error
        self.done.add(result.bundle)

    def results(self) -> Iterator[Audited]:
        """Read the results again, in the order in which they were found."""
        yield from _lines(self.path)

    def finish(self) -> None:
        """Forget it: the audit is over, and the next one begins anew."""
        self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._stream is not None:
            with suppress(OSError):  # a full disk, of which `add` has told
                self._stream.close()


@contextmanager
def open_journal(
    folder: Path, question: Sequence[str], *, afresh: bool, holds: Callable[[Audited], bool]
) -> Iterator[Journal]:
    """Take an audit up where it was left, or begin it; nobody else does so for the length of the block.

    Args:
        folder: where journals are kept.
        question: all that makes it the same audit.
        afresh: forget what an earlier call had done.
        holds: tells of a result of an earlier call whether it still holds; if not, the bundle is done again.

    Raises:
        UsageError: the same audit is under way, or a link stands where its journal belongs.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256("\0".join(question).encode()).hexdigest()[:_DIGITS]
    path, lock = folder / f"{name}.jsonl", folder / f"{name}.lock"
    for each in (path, lock):
        if each.is_symlink() or (each.exists() and not each.is_file()):
            raise UsageError(f"`{each}` is no regular file, so it is not written to", hint="see what it is, remove it")
    with _alone(lock):
        head = None if afresh else _head(path)
        journal = Journal(path=path, started=clock.text(clock.now()) if head is None else head.started)
        if head is None:
            path.unlink(missing_ok=True)
        else:
            _take_up(journal, holds)
        try:
            yield journal
        finally:
            journal._close()  # noqa: SLF001 - nobody else has to


def _head(path: Path) -> _Head | None:
    """Read the head of a journal; `None` when there is none, or it was begun too long ago to be gone on with."""
    try:
        with path.open("rb") as stream:
            head = msgspec.json.decode(stream.readline(), type=_Head)
        age = clock.now() - clock.parse(head.started)
    except (OSError, ValueError):
        return None
    return head if dt.timedelta() <= age <= _GOOD_FOR else None


def _take_up(journal: Journal, holds: Callable[[Audited], bool]) -> None:
    """Keep of a journal the results that still hold, up to the first line that cannot be read."""
    before = journal.path.with_suffix(".before")
    before.unlink(missing_ok=True)
    journal.path.rename(before)
    for each in _lines(before):
        if each.bundle not in journal.done and holds(each):
            journal.add(each)
    journal.earlier = len(journal.done)
    before.unlink()


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    lock = FileLock(place, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError("this audit is under way in another process", hint="wait for it, or end it") from None
    except NotImplementedError:
        pass  # a file system that knows no locks
    try:
        yield
    finally:
        lock.release()


def _lines(path: Path) -> Iterator[Audited]:
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        stream.readline()  # the head
        for line in stream:
            try:
                yield _decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return  # a kill or a power cut left it half written, and what is behind it is nobody's
