"""A bar chart of the headline scores with their standard errors, as a page that loads nothing and runs nothing.

Scores of one kind of scale share an axis: those up to 1, those up to 100, and those of each further power of ten.
Scores of which lower is better stand apart. The whiskers reach one standard error to either side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from reprokit.mirrors.portrait.brevity import cut_inside, one_line
from reprokit.mirrors.portrait.headline import Headline

MOST_BARS = 200
_WIDTH, _ROW, _BAR = 760, 24, 12
_METRIC_AT, _LEFT, _RIGHT, _VALUE_AT = 196, 316, 624, 634
_LONGEST_TASK, _LONGEST_METRIC, _MOST_TICKS = 26, 15, 6
_FRACTION, _PERCENT = 1.0, 100.0
_OVERHANG, _LARGEST = 1.08, 1e300
_PLACES = ((10.0, 3), (100.0, 2), (1000.0, 1), (100_000.0, 0))

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2430; --soft: #5f6777; --grid: #e3e6ec; --bar: #4c78c9; --group: #2b4a86;
  --paper: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaf0; --soft: #a3abbb; --grid: #353b48; --bar: #7ba2e8;
  --group: #b5cdfa; --paper: #16191f; } }
body { margin: 12px 16px; background: var(--paper); color: var(--ink); font: 13px/1.4 system-ui, sans-serif; }
h1 { font-size: 15px; font-weight: 600; margin: 0 0 2px; overflow-wrap: anywhere; }
p { margin: 0 0 8px; color: var(--soft); font-size: 12px; }
svg { display: block; width: 100%; min-width: 600px; max-width: 960px; height: auto; }
text { fill: var(--ink); font: 12px system-ui, sans-serif; }
.soft { fill: var(--soft); } .tick { fill: var(--soft); font-size: 10px; text-anchor: middle; }
.panel { font-weight: 600; } .whole { font-weight: 600; } .value { font-variant-numeric: tabular-nums; }
.grid { stroke: var(--grid); } .zero { stroke: var(--soft); } .bar { fill: var(--bar); } .group { fill: var(--group); }
.whisker { stroke: var(--ink); stroke-width: 1.3; fill: none; }
"""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Scores that share an axis from `low` to `high`, with a mark at each of `ticks`."""

    title: str
    rows: Sequence[Headline]
    low: float
    high: float
    ticks: Sequence[float]

    def x(self, value: float) -> float:
        """Tell where a value stands, in the chart's units; what is beyond the axis stands at its end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return _LEFT + share * (_RIGHT - _LEFT)


def chart(title: str, scores: Sequence[Headline]) -> str:
    """Draw the chart as an HTML page."""
    shown, y, drawn = list(scores[:MOST_BARS]), 0, list[str]()
    panels = list(_panels(shown))
    for panel in panels:
        lines, y = _drawn(panel, y, titled=len(panels) > 1)
        drawn += lines
    left_out = f" {MOST_BARS} of {len(scores)} are shown." if len(scores) > MOST_BARS else ""
    heading = escape(one_line(title))
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>{heading}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{heading}</h1>",
            f"<p>One score for each task; the whiskers reach one standard error to either side.{left_out}</p>",
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {max(y, 1)}" role="img">',
            *drawn,
            "</svg></body></html>",
            "",
        ]
    )


def _panels(scores: Sequence[Headline]) -> Iterator[Panel]:
    kinds: dict[tuple[bool, float], list[Headline]] = {}
    for score in scores:
        kinds.setdefault((score.higher_is_better is False, _scale(score.value)), []).append(score)
    for (lower, scale), rows in sorted(kinds.items()):
        yield _panel(rows, scale, lower=lower)


def _scale(value: float) -> float:
    """Tell the end of the scale that a score is likely on: 1, 100, or the next power of ten."""
    size = abs(value)
    for end in (_FRACTION, _PERCENT):
        if size <= end:
            return end
    return float(10.0 ** math.ceil(math.log10(min(size, _LARGEST))))


def _panel(rows: Sequence[Headline], scale: float, *, lower: bool) -> Panel:
    largest = max(abs(row.value) for row in rows)
    fixed = scale == _FRACTION or (scale == _PERCENT and not lower)
    top, step = (scale, scale / 4) if fixed else _round(min(largest, _LARGEST))
    ends = [end for row in rows for end in (row.value - (row.stderr or 0), row.value + (row.stderr or 0))]
    high = min(max(top, *ends), _OVERHANG * top)
    low = max(min(0.0, *ends), -_OVERHANG * top)
    ticks = [step * number for number in range(-5, 6) if low <= step * number <= high]
    if len(ticks) > _MOST_TICKS:
        ticks = [tick for tick in ticks if round(tick / step) % 2 == 0]
    higher = all(row.higher_is_better for row in rows)
    direction = "lower is better" if lower else "higher is better" if higher else ""
    title = f"up to {top:g}" + (f", {direction}" if direction else "")
    return Panel(title=title, rows=rows, low=low, high=high, ticks=ticks)


def _round(largest: float) -> tuple[float, float]:
    """Give a round number that is no smaller, and a part of it for ticks."""
    if largest == 0:
        return 1.0, 0.25
    unit = 10.0 ** math.floor(math.log10(largest))
    for factor, parts in ((1, 4), (2, 4), (5, 5)):
        if largest <= factor * unit:
            return factor * unit, factor * unit / parts
    return 10 * unit, 2.5 * unit


def _drawn(panel: Panel, y: int, *, titled: bool) -> tuple[list[str], int]:
    """Draw a panel from `y` down, and tell where it ends."""
    lines = []
    if titled:
        y += 20
        lines.append(f'<text class="panel" x="0" y="{y - 4}">{escape(panel.title)}</text>')
    top, bottom = y + 4, y + 4 + _ROW * len(panel.rows)
    for tick in panel.ticks:
        kind = "zero" if tick == 0 else "grid"
        lines.append(f'<path class="{kind}" d="M{panel.x(tick):.1f} {top}V{bottom}"/>')
        lines.append(f'<text class="tick" x="{panel.x(tick):.1f}" y="{bottom + 13}">{tick:g}</text>')
    for index, row in enumerate(panel.rows):
        lines += _row(panel, row, top + _ROW * index)
    return lines, bottom + 24


def _row(panel: Panel, row: Headline, y: int) -> Iterator[str]:
    middle, base = y + _ROW // 2, y + _ROW // 2 + 4
    start, end = sorted((panel.x(0), panel.x(row.value)))
    metric = row.metric if row.filter in (None, "none") else f"{row.metric}, {row.filter}"
    shown = _figures(row.value, row.stderr)
    told = f"{row.task}: {metric} {shown}" + ("" if row.n is None else f", n = {row.n}")
    kind = "whole" if row.group else "name"
    yield f"<g><title>{escape(one_line(told))}</title>"
    yield f'<text class="{kind}" x="0" y="{base}">{_label(row.task, _LONGEST_TASK)}</text>'
    yield f'<text class="soft" x="{_METRIC_AT}" y="{base}">{_label(row.metric, _LONGEST_METRIC)}</text>'
    bar = "bar group" if row.group else "bar"
    size = f'x="{start:.1f}" y="{middle - _BAR // 2}" width="{end - start:.1f}" height="{_BAR}"'
    yield f'<rect class="{bar}" {size} rx="1.5"/>'
    if row.stderr:
        left, right = panel.x(row.value - row.stderr), panel.x(row.value + row.stderr)
        yield f'<path class="whisker" d="M{left:.1f} {middle - 4}v8m0 -4H{right:.1f}m0 -4v8"/>'
    yield f'<text class="value" x="{_VALUE_AT}" y="{base}">{shown}</text></g>'


def _label(name: str, longest: int) -> str:
    return escape(cut_inside(one_line(name), longest))


def _figures(value: float, stderr: float | None) -> str:
    """Write a score and its standard error to as many figures as anybody reads, both to the same place."""
    size = abs(value)
    places = next((places for end, places in _PLACES if size < end), None)
    written = [
        f"{each:.4g}" if places is None else f"{each:.{places}f}" for each in (value, stderr) if each is not None
    ]
    return " ± ".join(written)
