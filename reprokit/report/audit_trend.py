"""How an archive fared over its audits: a small chart for each state, all with the same audits from left to right.

A stack of all states would hide two errors under three thousand good bundles: each state has a scale of its own, from
zero to the most there was, and is named by its word. An audit is a bar; where years lie between two, the axis says so.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from reprokit.audit.shown.words import SIGN, count, number
from reprokit.audit.values import Past

MOST_AUDITS = 60
HEIGHT = 56.0
"""Of a chart, in pixels; the label of a bar stands above it."""
ROOM_FOR_LABEL = 14.0
_LOWEST = 2.0
_FEWEST_SLOTS = 8
_FILLED = 0.72
_YEAR, _MONTH, _DAY = 4, 7, 10
_ROOM = {_YEAR: 9.0, _MONTH: 17.0}
"""What a label needs of the width, in per cent, where the window is narrow."""

_ROWS: tuple[tuple[str, str, Callable[[Past], int]], ...] = (
    ("error", SIGN["error"], lambda past: past.counts.error),
    ("warning", SIGN["warning"], lambda past: past.counts.warning),
    ("unknown", SIGN["unknown"], lambda past: past.counts.unknown),
    ("good", SIGN["good"], lambda past: past.counts.good),
    ("read whole", "\N{IDENTICAL TO}", lambda past: past.read_whole),
)


class Bar(Struct, frozen=True, kw_only=True):
    """An audit in one chart: `x` and `width` in per cent of it, `y` and `height` in pixels. None is drawn for zero."""

    x: float
    width: float
    y: float
    height: float
    middle: float
    label: str | None


class TrendRow(Struct, frozen=True, kw_only=True):
    """The chart of one state."""

    word: str
    sign: str
    bars: list[Bar]
    now: str
    before: str
    most: str


class Tick(Struct, frozen=True, kw_only=True):
    """A date under the charts, in per cent of their width."""

    at: float
    label: str


class Trend(Struct, frozen=True, kw_only=True):
    """All charts, and the audits they show, oldest first."""

    audits: list[Past]
    rows: list[TrendRow]
    ticks: list[Tick]
    left_out: int
    sentence: str


def trend(past: list[Past], now: Past) -> Trend:
    """Draw the earlier audits, oldest first, and the present one; the oldest are left out where there are many."""
    every = [*past, now]
    audits = every[-MOST_AUDITS:]
    slot = 100 / max(len(audits), _FEWEST_SLOTS)
    return Trend(
        audits=audits,
        rows=[_row(word, sign, [of(audit) for audit in audits], audits, slot) for word, sign, of in _ROWS],
        ticks=_ticks([audit.time for audit in audits], slot),
        left_out=len(every) - len(audits),
        sentence=_sentence(every),
    )


def _sentence(every: list[Past]) -> str:
    if len(every) == 1:
        return "This is the first audit that the archive has a record of: there is no trend yet."
    return f"{count(len(every), 'audit')} from {every[0].time[:_DAY]} to {every[-1].time[:_DAY]}."


def _row(word: str, sign: str, numbers: list[int], audits: list[Past], slot: float) -> TrendRow:
    most = max(numbers)
    bars = [
        _bar(place, amount, most, slot, labelled=len(numbers) <= _FEWEST_SLOTS or place == len(numbers) - 1)
        for place, amount in enumerate(numbers)
    ]
    highest = max(place for place, amount in enumerate(numbers) if amount == most)
    return TrendRow(
        word=word,
        sign=sign,
        bars=bars,
        now=number(numbers[-1]),
        before=number(numbers[-2]) if len(numbers) > 1 else "",
        most=f"{number(most)} on {audits[highest].time[:_DAY]}" if most else "0",
    )


def _bar(place: int, amount: int, most: int, slot: float, *, labelled: bool) -> Bar:
    height = max((HEIGHT - ROOM_FOR_LABEL) * amount / most, _LOWEST) if amount else 0.0
    return Bar(
        x=round(slot * (place + (1 - _FILLED) / 2), 2),
        width=round(slot * _FILLED, 2),
        y=round(HEIGHT - height, 1),
        height=round(height, 1),
        middle=round(slot * (place + 0.5), 2),
        label=number(amount) if labelled else None,
    )


def _ticks(times: list[str], slot: float) -> list[Tick]:
    """Name the first audit of each year, or of each month where all are of one year; none so near that they touch."""
    digits = _YEAR if times[0][:_YEAR] != times[-1][:_YEAR] else _MONTH
    ticks: list[Tick] = []
    named: set[str] = set()
    for place, time in enumerate(times):
        at = round(slot * (place + 0.5), 2)
        if time[:digits] not in named and (not ticks or at - ticks[-1].at >= _ROOM[digits]):
            ticks.append(Tick(at=at, label=time[:digits]))
        named.add(time[:digits])
    return ticks
