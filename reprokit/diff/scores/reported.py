"""Whether a score, as the harness reports it, is the mean of its samples' marks."""

from __future__ import annotations

from decimal import Decimal

from reprokit.consistency.moments import agree

SCALES = (1.0, 100.0)
_FEWEST = {1.0: 2, 100.0: 1}
_MOST = 6
_HALF = 0.5


def places(reported: float) -> int | None:
    """Count the places after the point that a score seems to be rounded to; `None` when it is written in full."""
    exponent = Decimal(repr(float(reported))).normalize().as_tuple().exponent
    count = -exponent if isinstance(exponent, int) else 0
    return max(count, 0) if count <= _MOST else None


def scales_of(reported: float | None, computed: float | None) -> set[float]:
    """Tell what the mean of the marks may be multiplied by to get the score: 1, or 100 when it is in per cent.

    A score that was rounded counts as the mean, too, if enough places are left for that to say something: two of a
    share, one of a per cent.

    Returns:
        The factors that fit; none when the score is not the mean.
    """
    if reported is None or computed is None:
        return set()
    exact = {scale for scale in SCALES if agree(reported, computed * scale, abs(computed * scale))}
    rounded = places(reported)
    if exact or rounded is None:
        return exact
    error = _HALF * 10.0**-rounded + 1e-12
    return {scale for scale in SCALES if rounded >= _FEWEST[scale] and abs(reported - computed * scale) <= error}
