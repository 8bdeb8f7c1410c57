"""What the repeats of a run vary between, and whether the original lies within."""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec import Struct

from reprokit.bundle.results import Metric, Results
from reprokit.bundle.values import as_number
from reprokit.reproduce.verdict.means import by_name


class Spread(Struct, frozen=True, kw_only=True):
    """A score of the original beside those of the repeats: a description, and no test.

    `repeats` are in the order of the repeats. `within` says whether the original's is neither below the smallest nor
    above the largest; `None` where not all have a number.
    """

    task: str
    metric: str
    filter: str | None = None
    group: bool = False
    original: float | None = None
    repeats: list[float | None] = []
    mean: float | None = None
    smallest: float | None = None
    largest: float | None = None
    within: bool | None = None


def spreads(original: Results, repeats: Sequence[Results]) -> list[Spread]:
    """Hold every score of the original against the repeats' own, in the original's order."""
    keyed = [by_name(results) for results in repeats]
    return [
        _spread(metric, [each[key][place] if place < len(each.get(key, [])) else None for each in keyed])
        for key, metrics in by_name(original).items()
        for place, metric in enumerate(metrics)
    ]


def _spread(metric: Metric, again: Sequence[Metric | None]) -> Spread:
    values = [None if each is None else as_number(each.value) for each in again]
    known = [value for value in values if value is not None]
    original = as_number(metric.value)
    whole = len(known) == len(values)
    return Spread(
        task=metric.task,
        metric=metric.metric,
        filter=metric.filter,
        group=metric.group,
        original=original,
        repeats=values,
        mean=math.fsum(value / len(known) for value in known) if whole else None,
        smallest=min(known) if whole else None,
        largest=max(known) if whole else None,
        within=min(known) <= original <= max(known) if whole and original is not None else None,
    )
