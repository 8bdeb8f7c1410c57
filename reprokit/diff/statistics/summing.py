"""Sums that do not depend on the order of what is added, and mirror when every sign is turned."""

from __future__ import annotations

import math
from itertools import chain

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

# Scores such as 0.1 + 0.2 and 0.3 are the same score, written by two programs. What is smaller than this, relative to
# the numbers it was computed from, is rounding and no difference.
ROUNDING = 2.0**-44

_AT_A_TIME = 65_536


def exact_sum(numbers: Numbers) -> float:
    """Sum, rounded once: the same for every order, and exactly the negative for the negatives.

    Args:
        numbers: one dimension, any length, finite
    """
    # A list of a million floats weighs 32 MB: pieces of it are as fast.
    pieces = (numbers[start : start + _AT_A_TIME].tolist() for start in range(0, len(numbers), _AT_A_TIME))
    return math.fsum(chain.from_iterable(pieces))
