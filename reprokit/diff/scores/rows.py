"""The metrics of two runs side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from reprokit.bundle import canonical
from reprokit.bundle.results import Metric, Results
from reprokit.bundle.values import NotScored, Score
from reprokit.diff.difference import Mark, ScoreRow, Spelled
from reprokit.diff.samples.fingerprint import plain, same_score
from reprokit.diff.setup.facts import same

Row = tuple[str, bool, str, str, bool]


@dataclass(frozen=True, kw_only=True)
class Naming:
    """How a's and b's names of tasks and filters go together.

    `tasks` names, for a task of b, a's; `filter_of` gives, for a's name of a task and a filter of b, a's filter.
    """

    tasks: dict[str, str]
    filter_of: Callable[[str, str | None], str | None]


def _rows(metrics: Iterable[Metric], naming: Naming | None) -> dict[Row, list[Metric]]:
    """Key each metric by a's names; a harness may report one twice, such as two reducers of one scorer."""
    keyed: dict[Row, list[Metric]] = {}
    for metric in metrics:
        task, filter_ = metric.task, metric.filter
        if naming is not None:
            task = naming.tasks.get(task, task)
            filter_ = naming.filter_of(task, filter_)
        key = (task, metric.group, metric.metric, filter_ or "", filter_ is not None)
        keyed.setdefault(key, []).append(metric)
    return keyed


def _partners(before: list[Metric], after: list[Metric]) -> Iterator[tuple[Metric | None, Metric | None]]:
    """Pair the scores of one name: equal values with each other, the rest in an order that is not that of the files."""
    ones, others = sorted(before, key=canonical.line), sorted(after, key=canonical.line)
    if len(ones) == len(others) == 1:
        yield ones[0], others[0]
        return
    waiting: dict[bytes, list[Metric]] = {}
    for metric in others:
        waiting.setdefault(canonical.line(plain(metric.value)), []).append(metric)
    rest: list[Metric] = []
    for metric in ones:
        equal = waiting.get(canonical.line(plain(metric.value)))
        if equal:
            yield metric, equal.pop(0)
        else:
            rest.append(metric)
    left = sorted((metric for metrics in waiting.values() for metric in metrics), key=canonical.line)
    yield from zip_longest(rest, left)


def _mark(metric: Metric | None) -> Mark | None:
    if metric is None:
        return None
    return Mark(
        value=plain(metric.value),
        stderr=None if metric.stderr is None else plain(metric.stderr),
        other_stderr={name: plain(score) for name, score in metric.other_stderr.items()},
        n=metric.n,
        extra=metric.extra,
    )


def _why_none(*scores: Score) -> str | None:
    reasons = sorted({score.not_scored for score in scores if isinstance(score, NotScored)})
    return f"not scored: {', '.join(reasons)}" if reasons else None


def subtract(after: Score, before: Score) -> float | None:
    """Give `after - before` as a finite number; `None` where there is none."""
    if isinstance(after, NotScored) or isinstance(before, NotScored):
        return None
    try:
        # Adding zero turns -0.0 into 0.0, so that swapping the sides changes nothing but the sign.
        difference = float(after - before) + 0.0
    except OverflowError:
        return None
    return difference if math.isfinite(difference) else None


def _in_b(key: Row, after: Metric | None) -> Spelled | None:
    filter_ = key[3] if key[4] else None
    if after is None or (after.task, after.filter) == (key[0], filter_):
        return None
    return Spelled(task=after.task, metric=after.metric, filter=after.filter)


def _row(key: Row, before: Metric | None, after: Metric | None) -> ScoreRow:
    a, b = _mark(before), _mark(after)
    senses = {metric.higher_is_better for metric in (before, after) if metric is not None} - {None}
    difference: float | None = None
    reason: str | None = "only one of them has it"
    equal = False
    if a is not None and b is not None:
        difference = subtract(b.value, a.value)
        reason = _why_none(a.value, b.value) or ("too large" if difference is None else None)
        equal = same_score(a.value, b.value) and same(a.extra, b.extra)
    return ScoreRow(
        task=key[0],
        metric=key[2],
        filter=key[3] if key[4] else None,
        in_b=_in_b(key, after),
        group=key[1],
        higher_is_better=senses.pop() if len(senses) == 1 else None,
        a=a,
        b=b,
        difference=difference,
        reason=reason,
        same=equal,
    )


def score_rows(a: Results, b: Results, naming: Naming) -> list[ScoreRow]:
    """Put the metrics of two runs side by side, by task, then metric and filter; those of groups follow a task's own.

    A metric that only one side has is a row with a null on the other.
    """
    before, after = _rows(a.metrics, None), _rows(b.metrics, naming)
    return [
        _row(key, one, other)
        for key in sorted(before.keys() | after.keys())
        for one, other in _partners(before.get(key, []), after.get(key, []))
    ]


def same_in_full(row: ScoreRow) -> bool:
    """Tell whether a row is the same on both sides in value, number of samples and standard errors."""
    return row.same and same(row.a, row.b)
