"""What can be said of the differences of scores beyond the samples at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from reprokit.bundle.results import Results
from reprokit.bundle.values import Score, as_number
from reprokit.consistency.groups import leaves
from reprokit.diff.difference import Asked, Mark, ScoreRow, TaskComparability
from reprokit.diff.samples.columns import Columns, is_computable
from reprokit.diff.samples.comparing import ComparedSamples
from reprokit.diff.samples.waterfall import mean
from reprokit.diff.scores import groups
from reprokit.diff.scores.margins import margin_of
from reprokit.diff.scores.outcome import outcome
from reprokit.diff.scores.reported import scales_of
from reprokit.diff.scores.told import Scaled, told
from reprokit.diff.statistics.holm import holm
from reprokit.diff.statistics.inference import conclude, infer
from reprokit.diff.statistics.means import Measured, unpaired_mean

_UNPAIRED = "from the standard errors alone, as if other samples had been asked: wider than a paired one"
_TOO_LARGE = "the numbers are too large to compute with"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the scores are judged by: the tasks' samples and comparability, by a's name, and the results of both."""

    samples: Mapping[str, ComparedSamples]
    comparability: Mapping[str, TaskComparability]
    a: Results
    b: Results
    asked: Asked


@dataclass(frozen=True, kw_only=True)
class Untested:
    """Why nothing can be said."""

    reason: str


def columns_of(row: ScoreRow, compared: ComparedSamples) -> Columns | None:
    """Find the samples that a score is over.

    Where samples do not name their filter, they belong to the task's only one; of several nobody knows which.
    """
    if row.filter in compared.columns:
        return compared.columns[row.filter]
    return compared.columns.get(None) if set(compared.columns) == {None} else None


def _paired(row: ScoreRow, columns: Columns, factor: float, asked: Asked) -> Scaled | Untested:
    marks = columns.marks(row.metric)
    # The marks of another question say nothing about this one.
    usable = ~(np.isnan(marks.a) | np.isnan(marks.b)) & columns.asked_alike()
    if not usable.any():
        return Untested(reason="no sample was scored by both")
    if not is_computable(marks.a[usable], marks.b[usable]):
        return Untested(reason=_TOO_LARGE)
    labels, by = columns.clusters(asked.cluster)
    margin = margin_of(row.metric, asked)
    inferred = infer(
        marks.a[usable],
        marks.b[usable],
        None if labels is None else labels[usable],
        level=asked.level,
        power=asked.power,
        margin=None if margin is None else margin / factor,
    )
    partial = not usable.all() or bool(len(marks.only_a) or len(marks.only_b))
    return Scaled(inferred=inferred, scale=factor, by=by, partial=partial)


def _measured(mark: Mark) -> Measured:
    return Measured(value=as_number(mark.value) or 0.0, stderr=as_number(mark.stderr), n=mark.n)


def _unpaired(row: ScoreRow, a: Mark, b: Mark, asked: Asked) -> Scaled | Untested:
    sides = _measured(a), _measured(b)
    if not is_computable(np.array([each or 0.0 for side in sides for each in (side.value, side.stderr)])):
        return Untested(reason=_TOO_LARGE)
    estimate = unpaired_mean(*sides)
    if estimate.stderr is None:
        return Untested(reason="not both saved samples, and not both give a standard error above 0")
    inferred = conclude(
        estimate,
        test="unpaired t",
        interval_by="t, unpaired",
        level=asked.level,
        power=asked.power,
        margin=margin_of(row.metric, asked),
    )
    return Scaled(inferred=inferred, scale=1.0, kind="unpaired", note=_UNPAIRED)


def _inferred(row: ScoreRow, evidence: Evidence) -> Scaled | Untested:
    if row.a is None or row.b is None or row.difference is None:
        return Untested(reason=row.reason or "there is no difference to judge")
    comparability = evidence.comparability.get(row.task)
    if comparability is not None and comparability.status == "not":
        return Untested(reason=f"not comparable: {comparability.reason}")
    compared = evidence.samples.get(row.task)
    if compared is None or compared.counts.saved_in != "both":
        return _unpaired(row, row.a, row.b, evidence.asked)
    columns = columns_of(row, compared)
    if columns is None or row.metric not in columns.metrics:
        return Untested(reason="no sample was scored under it")
    factor = scale(row, columns)
    if factor is None:
        return Untested(reason="it is not the mean of its samples' scores")
    return _paired(row, columns, factor, evidence.asked)


def scale(row: ScoreRow, columns: Columns) -> float | None:
    """Give what the samples' scores are multiplied by on both sides; `None` when a score is no mean of them."""
    if row.metric not in columns.metrics:
        return None
    marks = columns.marks(row.metric)
    values: list[tuple[Score | None, float | None]] = [
        (row.a.value if row.a else None, mean(marks.a, marks.only_a)),
        (row.b.value if row.b else None, mean(marks.b, marks.only_b)),
    ]
    fitting = [scales_of(as_number(value), computed) for value, computed in values]
    return min(set.intersection(*fitting), default=None)


def _adjusted(rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    values = holm([row.inference.p if row.inference is not None else None for row in rows])
    return [
        replace(row, inference=replace(row.inference, p_adjusted=value)) if row.inference is not None else row
        for row, value in zip(rows, values, strict=True)
    ]


def _with_outcomes(rows: Sequence[ScoreRow], evidence: Evidence) -> list[ScoreRow]:
    """Judge every score; that of a group for which there is no test is different when one of its tasks is."""
    judged = [replace(row, outcome=outcome(row, evidence.asked)) for row in rows]
    different = {(row.task, row.metric, row.filter) for row in judged if row.outcome == "different" and not row.group}
    return [replace(row, outcome="different") if _follows(row, different, evidence.a) else row for row in judged]


def _follows(row: ScoreRow, different: set[tuple[str, str, str | None]], a: Results) -> bool:
    if not row.group or row.outcome != "inconclusive" or (row.inference is not None and row.inference.p is not None):
        return False
    return any((name, row.metric, row.filter) in different for name in leaves(a.groups, row.task))


def with_inference(rows: Sequence[ScoreRow], evidence: Evidence) -> list[ScoreRow]:
    """Say of every score what can be said of its difference.

    A score with samples on both sides is judged by the pairs, if it is their mean; one without by the standard errors
    that the harness gives; that of a group by those of its tasks. Holm's adjustment is over all tests made, those of
    groups included.
    """
    found: list[Scaled | Untested] = [Untested(reason="") if row.group else _inferred(row, evidence) for row in rows]
    parts = {
        (row.task, row.metric, row.filter): (row, item)
        for row, item in zip(rows, found, strict=True)
        if isinstance(item, Scaled)
    }
    for position, row in enumerate(rows):
        if row.group:
            whole = groups.whole(row, parts, evidence.a, evidence.b, evidence.asked)
            found[position] = Untested(reason=whole) if isinstance(whole, str) else whole
    judged = [
        replace(row, inference=told(item)) if isinstance(item, Scaled) else replace(row, untested=item.reason)
        for row, item in zip(rows, found, strict=True)
    ]
    return _with_outcomes(_adjusted(judged), evidence)
