"""The marks of a task's samples, to compute a score again over some of them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from reprokit.bundle.results import Metric
from reprokit.bundle.values import Score, as_number
from reprokit.consistency.moments import Moments
from reprokit.diff.samples.columns import as_mark
from reprokit.diff.samples.waterfall import mean
from reprokit.diff.scores.reported import scales_of

_Name: TypeAlias = tuple[str | None, str]


class Gathered:
    """The marks by answer extraction and metric: of all samples their mean, of those that are kept every mark.

    A mark that is kept takes 8 bytes: only of all of them together can the mean be rounded exactly, so that it does not
    depend on their order.
    """

    def __init__(self) -> None:
        self._filters: set[str | None] = set()
        self._all: dict[_Name, Moments] = {}
        self._kept: dict[_Name, array[float]] = {}

    def see(self, filter_: str | None, scores: Mapping[str, Score]) -> None:
        """Take in the marks of a sample."""
        self._filters.add(filter_)
        for name, score in scores.items():
            moments = self._all.get((filter_, name))
            if moments is None:
                moments = self._all[filter_, name] = Moments()
            moments.add(score)

    def keep(self, filter_: str | None, scores: Mapping[str, Score]) -> None:
        """Keep the marks of a sample that counts."""
        for name, score in scores.items():
            self._kept.setdefault((filter_, name), array("d")).append(as_mark(score))

    def _named(self, metric: Metric) -> _Name:
        """Find the samples of a score: where samples name no filter, they are those of the task's only one."""
        unnamed = metric.filter not in self._filters and self._filters == {None}
        return None if unnamed else metric.filter, metric.metric

    def scales(self, metric: Metric) -> set[float]:
        """Tell what the mean of all marks may be multiplied by to give the score; none when it is no mean of them."""
        moments = self._all.get(self._named(metric))
        return set() if moments is None or not moments.count else scales_of(as_number(metric.value), moments.mean)

    def of_kept(self, metric: Metric) -> tuple[float, int] | None:
        """Give the mean of the marks that were kept, and how many there are; `None` when none is a number."""
        marks = self._kept.get(self._named(metric))
        if not marks:
            return None
        values = np.frombuffer(marks, dtype=np.float64)
        found = mean(values)
        return None if found is None else (found, int(np.isfinite(values).sum()))
