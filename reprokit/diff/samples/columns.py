"""The marks of all pairs of samples, in columns of numbers: what statistics are made of."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from reprokit.bundle.values import Score, as_number
from reprokit.diff.difference import ORIGINS, Origin
from reprokit.diff.samples.clusters import NO_GROUP, Labels, as_label, chosen_clusters, shared
from reprokit.diff.samples.fingerprint import Reduced

Marks = NDArray[np.float64]

_SAME = len(ORIGINS)
_NUMBER = {origin: number for number, origin in enumerate(ORIGINS)}
_NOT_SCORED = math.nan
# The fourth power of what statistics are made of is still a float.
_LARGEST = 1e75
_AT_A_TIME = 1024
_MOST_METRICS = 500


def as_mark(score: Score | None) -> float:
    """Write a score as a number; `nan` when it is none."""
    if type(score) is float and score - score == 0.0:
        return score
    value = as_number(score)
    return _NOT_SCORED if value is None else value


def is_computable(*parts: Marks) -> bool:
    """Tell whether numbers are small enough for sums of their powers to be floats; `nan` does not count."""
    return not any((np.abs(part) > _LARGEST).any() for part in parts)


@dataclass(kw_only=True)
class _Column:
    """The marks of one metric: of pairs, and of samples that only one side has."""

    a: array[float] = field(default_factory=lambda: array("d"))
    b: array[float] = field(default_factory=lambda: array("d"))
    only_a: array[float] = field(default_factory=lambda: array("d"))
    only_b: array[float] = field(default_factory=lambda: array("d"))


class _Fresh(Struct, frozen=True, gc=False):
    """What is kept of a pair until it is taken in: none of its texts."""

    before: dict[str, Score]
    after: dict[str, Score]
    groups: tuple[tuple[int | None, ...], tuple[int | None, ...]]
    item: int
    origin: Origin | None
    asked_alike: bool


@dataclass(frozen=True, kw_only=True)
class PairedMarks:
    """The marks of one metric as arrays of shape `(pairs,)`, `nan` where a side was not scored."""

    a: Marks
    b: Marks
    only_a: Marks
    only_b: Marks


class Columns:
    """The pairs of one task and filter, in numbers.

    Pairs are taken in some at a time: many small steps for each would take as long as reading it.
    """

    def __init__(self) -> None:
        self._fresh: list[_Fresh] = []
        self._origins = bytearray()
        self._alike = bytearray()
        self._groups: list[array[int]] = []
        self._items: array[int] = array("q")
        self._without_group: list[int] = []
        self._metrics: dict[str, _Column] = {}
        self.pairs = 0

    @property
    def metrics(self) -> list[str]:
        """Name the metrics that samples were scored under."""
        self._take_in()
        return sorted(self._metrics)

    def add(self, one: Reduced, other: Reduced, origin: Origin | None, *, asked_alike: bool) -> None:
        """Take in a pair, where it begins to differ, and whether both were asked the same question."""
        item = as_label(one.key.id)
        groups = (one.grouping, other.grouping)
        self._fresh.append(_Fresh(one.scores, other.scores, groups, item, origin, asked_alike))
        self.pairs += 1
        if len(self._fresh) == _AT_A_TIME:
            self._take_in()

    def add_alone(self, scores: Mapping[str, Score], *, in_a: bool) -> None:
        """Take in a sample that only one side has."""
        self._take_in()
        for name, score in scores.items():
            if name not in self._metrics and len(self._metrics) >= _MOST_METRICS:
                continue
            column = self._column(name)
            (column.only_a if in_a else column.only_b).append(as_mark(score))

    def _take_in(self) -> None:
        fresh = self._fresh
        if not fresh:
            return
        self._fresh = []
        before, after = [each.before for each in fresh], [each.after for each in fresh]
        for name in self._known(set().union(*before, *after)):
            column = self._column(name)
            column.a.extend([as_mark(scores.get(name)) for scores in before])
            column.b.extend([as_mark(scores.get(name)) for scores in after])
        self._origins.extend([_SAME if each.origin is None else _NUMBER[each.origin] for each in fresh])
        self._alike.extend([each.asked_alike for each in fresh])
        self._items.extend([each.item for each in fresh])
        for kind in range(len(fresh[0].groups[0])):
            self._group(kind, [shared(each.groups[0][kind], each.groups[1][kind]) for each in fresh])

    def _known(self, names: set[str]) -> list[str]:
        """List the metrics to take in: all that there are, as long as a person could have named them."""
        new = sorted(names - self._metrics.keys())
        return [*self._metrics, *new[: max(_MOST_METRICS - len(self._metrics), 0)]]

    def _column(self, name: str) -> _Column:
        """Find a metric's column; one that is new has no marks of the pairs so far."""
        column = self._metrics.get(name)
        if column is None:
            column = self._metrics[name] = _Column()
            column.a.extend([_NOT_SCORED] * len(self._origins))
            column.b.extend([_NOT_SCORED] * len(self._origins))
        return column

    def _group(self, kind: int, groups: Sequence[int | None]) -> None:
        if kind == len(self._groups):
            self._groups.append(array("q"))
            self._without_group.append(0)
        self._without_group[kind] += groups.count(None)
        self._groups[kind].extend([NO_GROUP if group is None else group for group in groups])

    def marks(self, metric: str) -> PairedMarks:
        """Give the marks of a metric."""
        self._take_in()
        column = self._metrics[metric]
        a, b, only_a, only_b = (
            np.frombuffer(marks, dtype=np.float64) if marks else np.empty(0)
            for marks in (column.a, column.b, column.only_a, column.only_b)
        )
        return PairedMarks(a=a, b=b, only_a=only_a, only_b=only_b)

    def begins_in(self, origin: Origin) -> NDArray[np.bool_]:
        """Tell of each pair whether it begins to differ there."""
        self._take_in()
        return np.frombuffer(self._origins, dtype=np.uint8) == _NUMBER[origin] if self.pairs else np.empty(0, bool)

    def asked_alike(self) -> NDArray[np.bool_]:
        """Tell of each pair whether both were asked the same question."""
        self._take_in()
        return np.frombuffer(self._alike, dtype=np.bool_) if self.pairs else np.empty(0, bool)

    def clusters(self, key: str | None) -> tuple[Labels | None, str | None]:
        """Give the group of each pair and what it is; see `chosen_clusters`."""
        self._take_in()
        if not self.pairs:
            return None, None
        groups = [np.frombuffer(labels, dtype=np.int64) for labels in self._groups]
        return chosen_clusters(groups, np.frombuffer(self._items, dtype=np.int64), key)

    def turned(self, metric: str) -> tuple[int, int] | None:
        """Count the pairs whose mark went from 0 to 1, and from 1 to 0.

        Returns:
            The two counts; `None` for a metric that gave anything but 0 and 1 to a pair.
        """
        self._take_in()
        column = self._metrics.get(metric)
        if column is None:
            return None
        a, b = (np.frombuffer(marks, dtype=np.float64) if marks else np.empty(0) for marks in (column.a, column.b))
        if not all(((marks == 0) | (marks == 1) | np.isnan(marks)).all() for marks in (a, b)):
            return None
        return int(((a == 0) & (b == 1)).sum()), int(((a == 1) & (b == 0)).sum())

    def with_key(self) -> int:
        """Count the pairs that have the key by which samples are to be grouped."""
        self._take_in()
        return self.pairs - self._without_group[-1] if self._without_group else 0
