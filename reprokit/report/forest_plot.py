"""The forest plot: every tested difference with its interval, on one axis for each unit."""

from __future__ import annotations

import math
from collections.abc import Iterator

from msgspec import Struct

from reprokit.diff.difference import Inference, Interval, ScoreRow
from reprokit.report.legible_value import short, signed
from reprokit.report.plot_axis import Axis, Tick, axis
from reprokit.report.score_scale import Scale, scales

_WIDEST_BAND = 3


class ForestRow(Struct, frozen=True, kw_only=True):
    """One difference, b minus a; places in per cent of the axis."""

    score: ScoreRow
    point: float
    low: float
    high: float
    band: tuple[float, float] | None
    """Start and width of the margin."""
    difference: str
    interval: str
    level: str
    clear: bool
    """Whether zero lies outside of the interval."""
    sense: str


class Forest(Struct, frozen=True, kw_only=True):
    """The rows that share an axis."""

    unit: str
    in_points: bool
    zero: float
    ticks: list[Tick]
    rows: list[ForestRow]


def in_order(rows: list[ScoreRow]) -> list[ScoreRow]:
    """Put the groups after the tasks that they are over."""
    return sorted(rows, key=lambda row: row.group)


def sense(row: ScoreRow, difference: float) -> str:
    """Say whether a difference is for the better; nothing when that is not known."""
    if row.higher_is_better is None or difference == 0:
        return ""
    return "better" if (difference > 0) == row.higher_is_better else "worse"


def forests(rows: list[ScoreRow]) -> list[Forest]:
    """Draw every row that has an interval; rows in different units never share an axis."""
    units = scales(rows)
    grouped: dict[Scale, list[ScoreRow]] = {}
    for row in in_order(rows):
        if interval_of(row):
            scale = units[row.metric]
            grouped.setdefault(scale, []).append(row)
    return [_forest(scale, found) for scale, found in grouped.items()]


def interval_of(row: ScoreRow) -> Interval | None:
    """Return the interval of a row when it is one that can be drawn."""
    found = row.inference.interval if row.inference else None
    return found if found and math.isfinite(found.low) and math.isfinite(found.high) else None


def _tested(rows: list[ScoreRow]) -> Iterator[tuple[ScoreRow, Inference, Interval]]:
    for row in rows:
        interval = interval_of(row)
        if row.inference and interval:
            yield row, row.inference, interval


def _forest(scale: Scale, rows: list[ScoreRow]) -> Forest:
    tested = list(_tested(rows))
    ends = [
        end * scale.factor for _, found, interval in tested for end in (interval.low, interval.high, found.difference)
    ]
    widest = max(abs(end) for end in ends)
    margins = [found.equivalence.margin * scale.factor for _, found, _ in tested if found.equivalence]
    margins = [min(margin, _WIDEST_BAND * widest) if widest else margin for margin in margins]
    line = axis([0.0, *ends, *margins, *(-margin for margin in margins)])
    return Forest(
        unit=scale.unit,
        in_points=scale.in_points,
        zero=line.at(0.0),
        ticks=line.ticks(),
        rows=[_row(row, found, interval, line, scale) for row, found, interval in tested],
    )


def _row(row: ScoreRow, found: Inference, interval: Interval, line: Axis, scale: Scale) -> ForestRow:
    low, point, high = (scale.factor * value for value in (interval.low, found.difference, interval.high))
    band = None
    if found.equivalence:
        margin = found.equivalence.margin * scale.factor
        band = (line.at(-margin), round(line.at(margin) - line.at(-margin), 2))
    return ForestRow(
        score=row,
        point=line.at(point),
        low=line.at(low),
        high=line.at(high),
        band=band,
        difference=signed(point),
        interval=f"{short(low)} to {short(high)}",
        level=f"{100 * interval.level:g} %",
        clear=low > 0 or high < 0,
        sense=sense(row, found.difference),
    )
