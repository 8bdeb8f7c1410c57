"""Programs that are run to their end: within a time, and never outliving whoever asked for them.

Each has a session of its own, so that it and all that it started can be ended together; the price is that nothing a
terminal or a batch system sends reaches it. So whatever ends the wait, or us, ends it first.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Self

_TIDYING = 1.0
"""Seconds that a program has to put its lock files away, before it is killed."""
_DYING = 5.0
"""Seconds that are waited for a killed one: on a file system that hangs, even that may not end it."""
_POLL = 0.02
_DEADLINE: ContextVar[tuple[float, float] | None] = ContextVar("deadline", default=None)


class TookTooLongError(Exception):
    """A program was ended, or not even started, since its time was up. `seconds` is how much it had."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"took longer than {seconds:g} s")
        self.seconds = seconds


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a program ended, and what it wrote."""

    status: int
    out: bytes
    said: bytes


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give all programs that this thread runs meanwhile so many seconds together; an outer limit stays in force."""
    around = _DEADLINE.get()
    deadline = time.monotonic() + seconds
    token = _DEADLINE.set(around if around and around[0] < deadline else (deadline, seconds))
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def require_time() -> None:
    """Go on only while there is time left.

    Raises:
        TookTooLongError: there is none.
    """
    _patience(None)


def _patience(timeout: float | None) -> tuple[float | None, float]:
    """Tell how long may be waited now, and what to call that: the limit of the call, or that of several."""
    around = _DEADLINE.get()
    if around is None:
        return timeout, timeout or 0.0
    left, together = around[0] - time.monotonic(), around[1]
    if left <= 0:
        raise TookTooLongError(together)
    return (left, together) if timeout is None or left < timeout else (timeout, timeout)


def run(
    words: Sequence[str | bytes],
    *,
    directory: Path,
    environment: Mapping[str, str],
    stdin: bytes,
    timeout: float | None,
) -> Ended:
    """Run a program to its end.

    Raises:
        TookTooLongError: its time was up; it was ended, with what it had started.
        OSError: it cannot be started.
        ValueError: the same, for a NUL among its words.
    """
    patience, told = _patience(timeout)
    with _EndedWithUs() as ours:
        process = subprocess.Popen(
            words,
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            ours.watch(process.pid)
            with _broken_pipe_survived():
                out, said = process.communicate(stdin, timeout=patience)
        except subprocess.TimeoutExpired as error:
            _stop(process)
            raise TookTooLongError(told) from error
        except BaseException:
            _stop(process)
            raise
    return Ended(status=process.returncode, out=out, said=said)


@contextmanager
def _broken_pipe_survived() -> Iterator[None]:
    """Let a program end before it has read what it was given, also where a broken pipe ends us otherwise."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    try:
        yield
    finally:
        if signal.SIGPIPE not in before and signal.SIGPIPE in signal.sigpending():
            signal.sigwait({signal.SIGPIPE})
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _EndedWithUs:
    """Kills a program's session when a signal ends us meanwhile; a signal that somebody else handles is left alone."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self._asked: int | None = None
        self._taken: list[int] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) == signal.SIG_DFL:
                    signal.signal(number, self._end)
                    self._taken.append(number)
        return self

    def __exit__(self, *_: object) -> None:
        for number in self._taken:
            signal.signal(number, signal.SIG_DFL)
        if self._asked is not None:
            os.kill(os.getpid(), self._asked)

    def watch(self, pid: int) -> None:
        self._pid = pid
        if self._asked is not None:
            self._end(self._asked, None)

    def _end(self, number: int, _: FrameType | None) -> None:
        self._asked = number
        if self._pid is None:  # it is being started just now
            return
        _signal_session(self._pid, signal.SIGKILL)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _signal_session(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started: politely at first, since git then removes its lock files."""
    if hasattr(os, "waitid"):
        _signal_session(process.pid, signal.SIGTERM)
        until = time.monotonic() + _TIDYING
        while time.monotonic() < until and not _is_over(process.pid):
            time.sleep(_POLL)
    # A program that it started would outlive it and hold our pipes open.
    _signal_session(process.pid, signal.SIGKILL)
    try:
        process.communicate(timeout=_DYING)
    except (subprocess.TimeoutExpired, OSError, ValueError):
        for stream in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()


def _is_over(pid: int) -> bool:
    # Not reaped here: its number stays its own until its session was killed.
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True
