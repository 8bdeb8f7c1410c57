"""Mean and spread of marks that come one by one."""

from __future__ import annotations

import math

from reprokit.bundle.values import Score, as_number

_RELATIVE = 1e-6
_OF_MAGNITUDE = 1e-9
_VANISHING = 1e-150  # the squares of smaller numbers are nothing to a float


class Moments:
    """The running mean of the marks of one metric, and their spread, by Welford's method.

    `count` and `mean` are over the finite marks; `unusable` counts the others. `largest` is the greatest absolute value
    seen: what a sum of so many marks loses to rounding is in proportion to it, and not to the mean.
    """

    __slots__ = ("_squares", "count", "largest", "mean", "only_marks", "unusable")

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0
        self.unusable = 0
        self.largest = 0.0
        self.only_marks = True

    def add(self, score: Score) -> None:
        """Take in one mark."""
        value = as_number(score)
        if value is None:
            self.unusable += 1
            return
        self.count += 1
        before = value - self.mean
        self.mean += before / self.count
        self._squares += before * (value - self.mean)
        if value not in {0.0, 1.0}:
            self.only_marks = False
        self.largest = max(self.largest, abs(value))

    def standard_error(self) -> float | None:
        """Estimate the standard error of the mean: sample deviation (`n - 1`) over the root of `n`.

        Returns:
            The estimate; `None` for fewer than two marks, and where it is too large for a float.
        """
        if self.count < 2:  # noqa: PLR2004 - one mark has no spread
            return None
        error = math.sqrt(max(0.0, self._squares) / (self.count - 1)) / math.sqrt(self.count)
        return error if math.isfinite(error) else None


def agree(reported: float, computed: float, largest: float) -> bool:
    """Tell whether two numbers are the same but for the rounding of sums.

    Args:
        reported: what the harness wrote.
        computed: what we get.
        largest: the greatest absolute value that went into them.
    """
    allowed = _RELATIVE * max(abs(reported), abs(computed)) + _OF_MAGNITUDE * largest + _VANISHING
    return not abs(reported - computed) > allowed
