"""The last seconds of a capture: no request to end cuts them short, but it is heard.

A scheduler that takes a machine back sends SIGTERM to every process of a job, and SIGKILL some seconds later. By then
the bundle should be in its place, so nobody may be stopped by the first; and what can wait is left to another time.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

_REQUESTS = (signal.SIGTERM, signal.SIGHUP)
_Handler: TypeAlias = Callable[[int, FrameType | None], object] | int | signal.Handlers | None


class Quiet:
    """Keeps requests to end away from this process, from the moment `begin` is called."""

    def __init__(self) -> None:
        self._before: dict[int, _Handler] = {}
        self._mask: set[int | signal.Signals] | None = None
        self._in_main_thread = threading.current_thread() is threading.main_thread()

    def begin(self) -> None:
        """Heed no request from now on; called while signals are blocked, once the evaluation runs with its own."""
        if self._in_main_thread and not self._before:
            # A function, unlike SIG_IGN, is not inherited; and where signals are ignored, none can be fetched.
            self._before = {number: signal.signal(number, lambda *_: None) for number in self._heeded()}

    def _heeded(self) -> list[int]:
        return [number for number in _REQUESTS if signal.getsignal(number) != signal.SIG_IGN]

    def hold(self) -> None:
        """Keep requests waiting; the programs that are started now do not get to see any either."""
        if self._in_main_thread and self._mask is None:
            self.begin()
            self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._before)

    def asked(self) -> bool:
        """Tell whether a request has come since `hold` was called."""
        return self._mask is not None and bool(signal.sigpending() & set(self._before))

    def end(self, *, last: bool) -> None:
        """Heed requests again; those that came meanwhile are forgotten. With `last`, none is heeded ever again."""
        for number in self._before:
            signal.signal(number, signal.SIG_IGN)  # which throws away what waits
        if self._mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            if last:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
        if not (last and self._mask is not None):
            for number, handler in self._before.items():
                signal.signal(number, handler)
        self._before, self._mask = {}, None


@contextmanager
def undisturbed(*, last: bool) -> Iterator[Quiet]:
    """Make a `Quiet`, and end it with the block.

    An interrupt from the keyboard is heeded throughout. With `last`, the process has nothing else to do after the
    block, and heeds neither that nor any request then.
    """
    quiet = Quiet()
    try:
        yield quiet
    finally:
        quiet.end(last=last)
