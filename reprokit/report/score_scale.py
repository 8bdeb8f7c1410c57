"""The units in which the difference of a score is told."""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import Struct

from reprokit.diff.difference import ScoreRow

POINTS = "points"


class Scale(Struct, frozen=True, kw_only=True):
    """How a metric's numbers become those of a plot: `factor` times the number, in `unit`."""

    unit: str
    factor: float

    @property
    def in_points(self) -> bool:
        """Whether one unit is a hundredth of the metric."""
        return self.factor != 1


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # JSON bounds no whole number
        return math.inf if value > 0 else -math.inf


def scales(rows: Iterable[ScoreRow]) -> dict[str, Scale]:
    """Choose the units of each metric: points when all its values lie between 0 and 1, else its own.

    A metric of which less is better keeps its own units: bits per byte lie between 0 and 1 too, and are no share.
    """
    values: dict[str, list[float]] = {}
    for row in rows:
        found = values.setdefault(row.metric, [])
        found += (_float(mark.value) for mark in (row.a, row.b) if mark and isinstance(mark.value, int | float))
        if row.higher_is_better is False:
            found.append(math.inf)
    return {metric: scale_of(metric, found) for metric, found in values.items()}


def scale_of(metric: str, values: list[float]) -> Scale:
    """Choose the units of one metric by the values it takes."""
    if values and all(0 <= value <= 1 for value in values):
        return Scale(unit=POINTS, factor=100.0)
    return Scale(unit=metric, factor=1.0)
