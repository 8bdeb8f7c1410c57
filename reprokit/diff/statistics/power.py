"""How small a difference a test would have found."""

from __future__ import annotations

import math

from scipy.special import chdtr, nctdtr, ndtr

from reprokit.diff.statistics.interval import alpha_of
from reprokit.diff.statistics.student import critical

_HALVINGS = 200
_MANY = 1e5
_NEAR, _FAR = 9.0, 1e5


def detectable(stderr: float, degrees: float, *, level: float, power: float) -> float:
    """Smallest true difference that the two-sided t test finds with the given power.

    The power of a t test follows the noncentral t distribution: Cohen, Statistical power analysis for the behavioral
    sciences (1988), chapter 2; for evaluations Miller, arXiv 2411.00640 (2024), section 5.

    Args:
        stderr: standard error of the difference, above 0
        degrees: of freedom; may be infinite
        level: 1 - alpha
        power: probability of finding it, for example 0.8

    Returns:
        A size, in the units of `stderr`; 0 when the test finds as much by chance.
    """
    bound = critical(alpha_of(level) / 2.0, degrees)
    low, high = 0.0, 1.0
    while _power(high, degrees, bound) < power:
        low, high = high, 2.0 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if middle in {low, high}:
            break
        if _power(middle, degrees, bound) < power:
            low = middle
        else:
            high = middle
    return low * stderr


def _power(shift: float, degrees: float, bound: float) -> float:
    if degrees > _MANY:
        # Abramowitz and Stegun 26.7.10: off by 1 / degrees^2, less than the series loses to rounding here.
        above, below = (_nearly_normal(sign * bound, shift, degrees) for sign in (1.0, -1.0))
        return 1.0 - above + below
    # Far out scipy has no number. Above, the shift outweighs the normal part of t; below, there is next to nothing.
    if shift > _FAR:
        return float(chdtr(degrees, degrees * (shift / bound) ** 2))
    above = float(nctdtr(degrees, shift, bound))
    below = float(nctdtr(degrees, shift, -bound)) if shift < _NEAR else 0.0
    return 1.0 - above + (0.0 if math.isnan(below) else below)


def _nearly_normal(t: float, shift: float, degrees: float) -> float:
    return float(ndtr((t * (1.0 - 0.25 / degrees) - shift) / math.sqrt(1.0 + t * t / (2.0 * degrees))))
