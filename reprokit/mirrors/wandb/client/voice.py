"""Says how far it is, and at last what came of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import BinaryIO

from reprokit.mirrors.wandb import wire
from reprokit.mirrors.wandb.wire import Answer, Doing

_PAUSE = 0.2
"""Seconds between two words on how far it is."""


@dataclass(kw_only=True)
class Voice:
    """One thing is said at a time; `until` is the moment (of the monotonic clock) at which all has to be done."""

    stream: BinaryIO
    until: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    last: float = 0.0
    moved: int = 0

    def say(self, answer: Answer) -> None:
        """Say something."""
        with self.lock:
            self.stream.write(wire.encode(answer))
            self.stream.flush()

    def doing(self, what: str, *, octets: int = 0, of: int = 0) -> None:
        """Say what is being done from now on."""
        self.moved = octets
        self.say(Doing(doing=what, octets=octets, of=of))

    def more(self, what: str, octets: int, of: int) -> None:
        """Say that so many more bytes were moved, no more often than is of use."""
        with self.lock:
            self.moved += octets
            if time.monotonic() - self.last < _PAUSE and self.moved < of:
                return
            self.last = time.monotonic()
            self.stream.write(wire.encode(Doing(doing=what, octets=self.moved, of=of)))
            self.stream.flush()

    def left(self) -> float:
        """Tell how many seconds are left; never less than a moment."""
        return max(0.1, self.until - time.monotonic())
