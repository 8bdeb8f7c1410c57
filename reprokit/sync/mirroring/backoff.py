"""How long to wait before something is tried again: exponential backoff with full jitter, and a budget for all of it.

The more often it failed, the longer the span from which the pause is drawn; that it is drawn keeps many machines, which
a service failed at the same moment, from coming back at the same moment. Time and chance are handed in.
"""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

FIRST = 1.0
LONGEST = 60.0
_STEPS = 1 << 53
_DOUBLINGS = 30  # beyond which any span is the longest


def fraction() -> float:
    """Draw a number from 0 up to 1."""
    return secrets.randbelow(_STEPS) / _STEPS


def span(failures: int) -> float:
    """Give the longest pause, in seconds, after so many failures in a row, of which there is at least one."""
    return min(LONGEST, math.ldexp(FIRST, min(failures - 1, _DOUBLINGS)))


@dataclass(kw_only=True)
class Patience:
    """What is left of the seconds that may go into tries that fail and the pauses after them, over all that is tried.

    `clock` tells seconds, of which only differences count; `chance` draws from 0 up to 1.
    """

    left: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = fraction
    failures: int = field(default=0, init=False)

    def succeeded(self) -> None:
        """Begin with short pauses again."""
        self.failures = 0

    def wait(self, began: float, *, after: float | None = None) -> bool:
        """Wait until it may be tried again; false, at once, when there is no time left for that.

        Args:
            began: when the try that failed did, by `clock`.
            after: the seconds for which the service asked to be left alone: a pause is never shorter.
        """
        self.failures += 1
        self.left -= max(0.0, self.clock() - began)
        asked = max(0.0, after or 0.0)
        if self.left <= 0 or asked > self.left:
            return False
        pause = min(self.left, asked + self.chance() * span(self.failures))
        self.left -= pause
        self.sleep(pause)
        return True
