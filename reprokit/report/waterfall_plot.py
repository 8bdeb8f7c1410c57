"""The waterfall: from a's score to b's by the stages in which samples begin to differ."""

from __future__ import annotations

from itertools import accumulate

from msgspec import Struct

from reprokit.diff.difference import Origin, ScoreRow, Step, TaskSamples, Waterfall
from reprokit.report.forest_plot import sense
from reprokit.report.legible_value import score, signed
from reprokit.report.plot_axis import Axis, axis
from reprokit.report.score_scale import Scale, scale_of, scales

NAMES: dict[Origin, str] = {
    "document": "document",
    "prompt": "prompt",
    "target": "target",
    "response": "response",
    "answer": "answer extraction",
    "score": "scoring",
    "unknown": "unknown",
    "other samples": "other samples",
}


class Fall(Struct, frozen=True, kw_only=True):
    """One step of a waterfall; places in per cent of the axis."""

    label: str
    samples: int
    start: float
    end: float
    low: float
    width: float
    share: str
    sense: str


class End(Struct, frozen=True, kw_only=True):
    """Where a waterfall begins or ends; `text` is empty when the score itself is not known."""

    at: float
    text: str


class WaterfallPlot(Struct, frozen=True, kw_only=True):
    """The waterfall of one score."""

    task: str
    metric: str
    filter: str | None
    sentence: str
    in_points: bool
    a: End
    b: End
    steps: list[Fall]


def waterfalls(samples: list[TaskSamples], rows: list[ScoreRow]) -> list[WaterfallPlot]:
    """Draw the waterfall of every score that differs or has a step that moves it."""
    units = scales(rows)
    scored = {(row.task, row.metric, row.filter): row for row in rows}
    return [
        _plot(task.task, fall, scored.get((task.task, fall.metric, fall.filter)), units)
        for task in samples
        for fall in task.waterfalls
        if fall.difference or any(step.share for step in fall.steps)
    ]


def _plot(task: str, fall: Waterfall, row: ScoreRow | None, units: dict[str, Scale]) -> WaterfallPlot:
    scale = units.get(fall.metric) or scale_of(fall.metric, [])
    value = row.a.value if row and row.a else None
    known = isinstance(value, int | float)
    start = scale.factor * float(value) if isinstance(value, int | float) else 0.0
    steps = [step for step in fall.steps if step.samples or step.share]
    levels = list(accumulate((step.share * scale.factor for step in steps), initial=start))
    end = start + fall.difference * scale.factor
    line = axis([*levels, end])
    return WaterfallPlot(
        task=task,
        metric=fall.metric,
        filter=fall.filter,
        sentence=sentence(fall, scale),
        in_points=scale.in_points,
        a=End(at=line.at(start), text=score(float(f"{start:.4g}")) if known else ""),
        b=End(at=line.at(end), text=score(float(f"{end:.4g}")) if known else ""),
        steps=[
            _fall(step, before, after, line, (scale, row))
            for step, before, after in zip(steps, levels, levels[1:], strict=False)
        ],
    )


def _fall(step: Step, before: float, after: float, line: Axis, of: tuple[Scale, ScoreRow | None]) -> Fall:
    scale, row = of
    start, end = line.at(before), line.at(after)
    return Fall(
        label=NAMES[step.origin],
        samples=step.samples,
        start=start,
        end=end,
        low=min(start, end),
        width=round(abs(end - start), 2),
        share=signed(step.share * scale.factor),
        sense=sense(row, step.share) if row else "",
    )


def sentence(fall: Waterfall, scale: Scale) -> str:
    """Say in a line where most of a difference comes from."""
    unit = scale.unit if scale.in_points else f"in {scale.unit}"
    moved = [step for step in fall.steps if step.share]
    if not moved:
        return f"{signed(fall.difference * scale.factor)} {unit}, of which no step is known"
    most = max(moved, key=lambda step: abs(step.share))
    share, total = (signed(value * scale.factor) for value in (most.share, fall.difference))
    samples = f"{most.samples:,} sample{'' if most.samples == 1 else 's'}"
    if not fall.difference:
        return f"no difference in all; the largest step is {share} {unit} from {NAMES[most.origin]} ({samples})"
    return f"of {total} {unit}, {share} come from {NAMES[most.origin]} ({samples})"
