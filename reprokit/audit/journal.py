"""The journal of an audit under way: a line for each bundle that is done, so that a kill costs no more than one.

It is also what results are read from when the audit is over: a result is in memory only while it is looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct

from reprokit import clock
from reprokit.audit.values import Audited
from reprokit.bundle import canonical
from reprokit.errors import UsageError

_DIGITS = 16
_GOOD_FOR = 7 * 24 * 3600.0  # seconds: an audit that was interrupted longer ago begins anew
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
            OSError: it cannot be written.
        """
        if self._stream is None:
            self._stream = self.path.open("ab")
            if not self._stream.tell():
                self._stream.write(canonical.line(_Head(started=self.started)) + b"\n")
        self._stream.write(canonical.line(result) + b"\n")
        self._stream.flush()
        self.done.add(result.bundle)

    def results(self) -> Iterator[Audited]:
        """Read the results again, in the order in which they were found."""
        yield from _lines(self.path)

    def finish(self) -> None:
        """Forget it: the audit is over, and the next one begins anew."""
        self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()


@contextmanager
def open_journal(folder: Path, question: Sequence[str], *, afresh: bool) -> Iterator[Journal]:
    """Take an audit up where it was left, or begin it; nobody else does so for the length of the block.

    Args:
        folder: where journals are kept.
        question: all that makes it the same audit.
        afresh: forget what an earlier call had done.

    Raises:
        UsageError: the same audit is under way.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256("\0".join(question).encode()).hexdigest()[:_DIGITS]
    path = folder / f"{name}.jsonl"
    with _alone(folder / f"{name}.lock"):
        if afresh or _is_old(path):
            path.unlink(missing_ok=True)
        _mend(path)
        journal = Journal(path=path, started=_begun(path))
        journal.done.update(each.bundle for each in journal.results())
        journal.earlier = len(journal.done)
        try:
            yield journal
        finally:
            journal._close()  # noqa: SLF001 - nobody else has to


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


def _is_old(path: Path) -> bool:
    try:
        return clock.now().timestamp() - path.stat().st_mtime > _GOOD_FOR
    except OSError:
        return False


def _mend(path: Path) -> None:
    """Cut off the line that a kill left half written."""
    if not path.is_file():
        return
    with path.open("rb+") as stream:
        whole = sum(len(line) for line in stream if line.endswith(b"\n"))
        stream.truncate(whole)


def _begun(path: Path) -> str:
    """Tell when an audit began, by its journal; now, where there is none."""
    try:
        with path.open("rb") as stream:
            return msgspec.json.decode(stream.readline(), type=_Head).started
    except (OSError, msgspec.DecodeError):
        return clock.text(clock.now())


def _lines(path: Path) -> Iterator[Audited]:
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    with stream:
        stream.readline()  # the head
        for line in stream:
            yield _decoder.decode(line)
