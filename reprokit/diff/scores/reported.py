"""Whether a score, as the harness reports it, is the mean of its samples' marks."""

from __future__ import annotations

from reprokit.consistency.moments import agree

_SCALES = (1.0, 100.0)
_ROUNDED = 6
_HALF = 0.5


def scale_of(reported: float | None, computed: float | None) -> float | None:
    """Tell what the mean of the marks is to be multiplied by to get the score: 1, or 100 when it is in per cent.

    A score that was rounded to its last digit, to no more than six places, counts as the mean, too.

    Returns:
        The factor; `None` when the score is not the mean.
    """
    if reported is None or computed is None:
        return None
    for scale in _SCALES:
        if agree(reported, computed * scale, abs(computed * scale)):
            return scale
    # A whole number says nothing about rounding, unless it is in per cent.
    places = len(repr(reported).partition(".")[2]) if not float(reported).is_integer() else 0
    for scale in _SCALES:
        rounded = 0 < places <= _ROUNDED or (scale > 1 and places == 0)
        if rounded and abs(reported - computed * scale) <= _HALF * 10.0**-places + 1e-12:
            return scale
    return None
