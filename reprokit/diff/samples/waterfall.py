"""Where the difference of a score comes from: each sample's part is put down to the first stage in which it differs."""

from __future__ import annotations

import math

import numpy as np

from reprokit.diff.difference import ORIGINS, Step, Waterfall
from reprokit.diff.samples.columns import Columns, Marks, is_computable

_ROUNDING = 1e-12


def mean(*parts: Marks) -> float | None:
    """Give the mean of all marks that are numbers, exactly rounded; `None` when there is none."""
    numbers = np.concatenate(parts)
    numbers = numbers[~np.isnan(numbers)]
    if not len(numbers):
        return None
    # Where the exact sum is beyond a float there is no mean to speak of.
    try:
        value = math.fsum(numbers) / len(numbers)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def waterfall(columns: Columns, metric: str, filter_: str | None, *, scale: float = 1.0) -> Waterfall | None:
    """Split the difference of a metric that is the mean over its samples.

    With the marks `a` and `b` of the `n` pairs in which both sides were scored, a stage's share is the sum of `b - a`
    over the pairs that begin to differ there, divided by `n`. What is then left of the difference of the two means
    comes from samples that only one side has, or scored. The shares add up to the difference.

    Args:
        columns: the pairs of the task and filter.
        metric: the metric.
        filter_: the filter.
        scale: what to multiply marks by to get the score's units.

    Returns:
        The steps that took part; `None` when a side has no marks, or some that are too large to compute with.
    """
    marks = columns.marks(metric)
    if not is_computable(marks.a, marks.b, marks.only_a, marks.only_b):
        return None
    before, after = mean(marks.a, marks.only_a), mean(marks.b, marks.only_b)
    if before is None or after is None:
        return None
    differences = (marks.b - marks.a) * scale
    scored = ~np.isnan(differences)
    count = int(scored.sum())
    steps: list[Step] = []
    for origin in ORIGINS[:-1]:
        there = columns.begins_in(origin)
        if there.any():
            share = math.fsum(differences[there & scored]) / count if count else 0.0
            steps.append(Step(origin=origin, samples=int(there.sum()), share=share + 0.0))
    others = len(marks.only_a) + len(marks.only_b) + int((np.isnan(marks.a) != np.isnan(marks.b)).sum())
    if others:
        total = after * scale - before * scale
        rest = total - math.fsum(step.share for step in steps)
        # What two means of equal marks differ by is rounding.
        rest = rest if abs(rest) > _ROUNDING * max(abs(before), abs(after)) * scale else 0.0
        steps.append(Step(origin="other samples", samples=others, share=rest + 0.0))
    return Waterfall(
        metric=metric, filter=filter_, difference=math.fsum(step.share for step in steps) + 0.0, steps=steps
    )
