"""Scores of several repeats as one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.values import NotScored, Score, as_number
from reprokit.diff.samples.fingerprint import plain, same_score
from reprokit.reproduce.verdict.gathering import Gathered

Name: TypeAlias = tuple[str, str, str | None, bool]


def mean_score(scores: Sequence[Score]) -> Score:
    """Give the mean of what several repeats say, a truth value counting as 0 or 1.

    Equal scores keep their value to the last bit. One that is no number leaves no mean.
    """
    if all(same_score(scores[0], each) for each in scores):
        return plain(scores[0])
    values = [value for each in scores if (value := as_number(each)) is not None]
    if len(values) < len(scores):
        return NotScored(not_scored=f"no number in {len(scores) - len(values)} of {len(scores)} repeats")
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        return NotScored(not_scored="too large")


def pooled_results(
    repeats: Sequence[Results], marks: Mapping[str, Sequence[Gathered]], pooled: Mapping[str, Gathered]
) -> Results:
    """Give the scores of several repeats as one run's, in the order of the first; what not all of them have is gone.

    Args:
        repeats: the results of each.
        marks: by task the marks of each repeat, all seen.
        pooled: by task the marks of the pooled samples, all kept.
    """
    keyed = [by_name(results) for results in repeats]
    metrics = [
        _pooled(alike, marks.get(alike[0].task, ()), pooled.get(alike[0].task))
        for key in keyed[0]
        for alike in zip(*(each.get(key, []) for each in keyed), strict=False)
    ]
    named = [{task.name: task for task in results.tasks} for results in repeats]
    tasks = [
        _claiming_least([each[name] for each in named]) for name in named[0] if all(name in each for each in named)
    ]
    return replace(repeats[0], metrics=metrics, tasks=tasks)


def by_name(results: Results) -> dict[Name, list[Metric]]:
    """List the scores of each name: a harness may report one twice, such as two reducers of one scorer."""
    found: dict[Name, list[Metric]] = {}
    for metric in results.metrics:
        found.setdefault((metric.task, metric.metric, metric.filter, metric.group), []).append(metric)
    return found


def _pooled(alike: Sequence[Metric], marks: Sequence[Gathered], pooled: Gathered | None) -> Metric:
    """Pool what the repeats say of a score.

    The mean of several runs has no larger standard error than the worst of them, whatever they have in common.
    """
    errors = [as_number(metric.stderr) for metric in alike]
    known = [error for error in errors if error is not None]
    value, size = mean_score([metric.value for metric in alike]), _least([metric.n for metric in alike])
    over = None if alike[0].group or pooled is None else _over_samples(alike, marks, pooled)
    if over is not None and not all(same_score(alike[0].value, metric.value) for metric in alike):
        value, size = over
    return replace(
        alike[0],
        value=value,
        stderr=max(known) if len(known) == len(errors) else None,
        other_stderr={},
        n=size,
        extra=alike[0].extra if all(metric.extra == alike[0].extra for metric in alike) else None,
    )


def _over_samples(alike: Sequence[Metric], marks: Sequence[Gathered], pooled: Gathered) -> tuple[float, int] | None:
    scales = [gathered.scales(metric) for metric, gathered in zip(alike, marks, strict=True)]
    scale = min(set.intersection(*scales), default=None)
    found = pooled.of_kept(alike[0])
    return None if scale is None or found is None else (found[0] * scale, found[1])


def _least(sizes: Sequence[int | None]) -> int | None:
    return min((size for size in sizes if size is not None), default=None)


def _claiming_least(alike: Sequence[Task]) -> Task:
    return replace(alike[0], samples_claimed=_least([task.samples_claimed for task in alike]))
