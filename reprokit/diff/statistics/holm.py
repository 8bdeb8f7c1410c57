"""Many tests at once."""

from __future__ import annotations

from collections.abc import Sequence


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Adjust p-values so that the chance of any false one among them stays below the level.

    Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979) 65-70.
    No assumption is made on how the tests depend on each other.

    Args:
        values: p-values; None stands for a test that was not made

    Returns:
        Adjusted p-values in the same order. None stays None and does not count as a test.
    """
    made = sorted((p, place) for place, p in enumerate(values) if p is not None)
    adjusted: list[float | None] = [None] * len(values)
    least = 0.0
    for passed, (p, place) in enumerate(made):
        least = max(least, min(1.0, (len(made) - passed) * p))
        adjusted[place] = least
    return adjusted
