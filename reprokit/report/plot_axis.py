"""An axis: where on it, in per cent of its width, a number stands."""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec import Struct

from reprokit.report.legible_value import signed

_ROOM = 0.06
_TICKS = 5


class Tick(Struct, frozen=True, kw_only=True):
    """A mark on an axis."""

    at: float
    label: str


class Axis(Struct, frozen=True, kw_only=True):
    """The numbers from `low` to `high`, drawn from 0 to 100 per cent.

    Both are below half of the largest number there is, so that their distance is a number too.
    """

    low: float
    high: float

    def at(self, value: float) -> float:
        """Say where a number stands, in per cent; at the edge when it lies beyond."""
        return round(100 * min(max((value - self.low) / (self.high - self.low), 0.0), 1.0), 2)

    def ticks(self) -> list[Tick]:
        """Choose up to seven round numbers, evenly spaced."""
        step = _round_step((self.high - self.low) / _TICKS)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [Tick(at=self.at(number * step), label=signed(number * step)) for number in range(first, last + 1)]


def axis(values: Iterable[float]) -> Axis:
    """Make an axis that holds all finite numbers among `values`, with some room on both sides."""
    most = 1e300
    found = [min(max(value, -most), most) for value in values if math.isfinite(value)] or [0.0]
    low, high = min(found), max(found)
    room = (high - low) * _ROOM or abs(high) * _ROOM or 1.0
    return Axis(low=low - room, high=high + room)


def _round_step(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return next((times * power for times in (1, 2, 5) if times * power >= step), 10 * power)
