"""What Student's t says of an estimate and its standard error; with infinite degrees of freedom it is the normal."""

from __future__ import annotations

import math

from scipy.special import ndtr, ndtri, stdtr, stdtrit

from reprokit.diff.statistics.interval import Interval


def cumulative(t: float, degrees: float) -> float:
    """P(T <= t) for Student's t with that many degrees of freedom, which may be infinite."""
    return float(ndtr(t)) if math.isinf(degrees) else float(stdtr(degrees, t))


def critical(tail: float, degrees: float) -> float:
    """The t beyond which lies `tail` of the distribution on one side; positive for `tail` below 1/2."""
    return -float(ndtri(tail)) if math.isinf(degrees) else -float(stdtrit(degrees, tail))


def t_interval(difference: float, stderr: float, degrees: float, *, level: float) -> Interval:
    """Confidence interval of a difference, symmetric around it.

    Args:
        difference: the estimate
        stderr: its standard error, above 0
        degrees: of freedom of the standard error, above 0; may be infinite
        level: confidence, for example 0.95
    """
    half = critical((1.0 - level) / 2.0, degrees) * stderr
    return Interval(low=difference - half, high=difference + half, level=level)


def t_test(difference: float, stderr: float, degrees: float) -> float:
    """Two-sided p of no difference; arguments as for `t_interval`."""
    return min(1.0, 2.0 * cumulative(-abs(difference) / stderr, degrees))
