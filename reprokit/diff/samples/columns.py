"""The marks of all pairs of samples, in columns of numbers: what statistics are made of."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reprokit.bundle.values import NotScored, Score
from reprokit.diff.difference import ORIGINS, Origin
from reprokit.diff.samples.clusters import Labels, chosen_clusters, shared
from reprokit.diff.samples.fingerprint import Reduced

Marks = NDArray[np.float64]

_SAME = len(ORIGINS)
_NUMBER = {origin: number for number, origin in enumerate(ORIGINS)}
_NOT_SCORED = math.nan
# The fourth power of what statistics are made of is still a float.
_LARGEST = 1e75


def as_mark(score: Score | None) -> float:
    """Write a score as a number; `nan` when it is none."""
    if type(score) is float and score - score == 0.0:
        return score
    if score is None or isinstance(score, NotScored):
        return _NOT_SCORED
    try:
        value = float(score)
    except OverflowError:
        return _NOT_SCORED
    return value if math.isfinite(value) else _NOT_SCORED


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


@dataclass(frozen=True, kw_only=True)
class PairedMarks:
    """The marks of one metric as arrays of shape `(pairs,)`, `nan` where a side was not scored."""

    a: Marks
    b: Marks
    only_a: Marks
    only_b: Marks


class Columns:
    """The pairs of one task and filter, in numbers."""

    def __init__(self) -> None:
        self._origins = bytearray()
        self._groups: list[array[int]] = []
        self._items: array[int] = array("q")
        self._without_group: list[int] = []
        self._metrics: dict[str, _Column] = {}
        self.pairs = 0

    @property
    def metrics(self) -> list[str]:
        """Name the metrics that samples were scored under."""
        return sorted(self._metrics)

    def add(self, one: Reduced, other: Reduced, origin: Origin | None) -> None:
        """Take in a pair, and where it begins to differ."""
        self._origins.append(_SAME if origin is None else _NUMBER[origin])
        self._group(one, other)
        for name, score in one.scores.items():
            self._column(name).a.append(as_mark(score))
        for name, score in other.scores.items():
            self._column(name).b.append(as_mark(score))
        self.pairs += 1
        if one.scores.keys() != other.scores.keys() or len(one.scores) != len(self._metrics):
            self._fill()

    def add_alone(self, scores: Mapping[str, Score], *, in_a: bool) -> None:
        """Take in a sample that only one side has."""
        for name, score in scores.items():
            column = self._column(name)
            (column.only_a if in_a else column.only_b).append(as_mark(score))

    def _column(self, name: str) -> _Column:
        column = self._metrics.get(name)
        if column is None:
            column = self._metrics[name] = _Column()
            column.a.extend([_NOT_SCORED] * self.pairs)
            column.b.extend([_NOT_SCORED] * self.pairs)
        return column

    def _fill(self) -> None:
        for column in self._metrics.values():
            for marks in (column.a, column.b):
                if len(marks) < self.pairs:
                    marks.append(_NOT_SCORED)

    def _group(self, one: Reduced, other: Reduced) -> None:
        if not self._groups:
            self._groups = [array("q") for _ in one.grouping]
            self._without_group = [0 for _ in one.grouping]
        self._items.append(hash((one.key.id, one.key.occurrence)))
        for kind, (left, right) in enumerate(zip(one.grouping, other.grouping, strict=True)):
            group = shared(left, right)
            if group is None:
                self._without_group[kind] += 1
                group = self._items[-1]
            self._groups[kind].append(group)

    def marks(self, metric: str) -> PairedMarks:
        """Give the marks of a metric."""
        column = self._metrics[metric]
        a, b, only_a, only_b = (
            np.frombuffer(marks, dtype=np.float64) if marks else np.empty(0)
            for marks in (column.a, column.b, column.only_a, column.only_b)
        )
        return PairedMarks(a=a, b=b, only_a=only_a, only_b=only_b)

    def begins_in(self, origin: Origin) -> NDArray[np.bool_]:
        """Tell of each pair whether it begins to differ there."""
        return np.frombuffer(self._origins, dtype=np.uint8) == _NUMBER[origin] if self.pairs else np.empty(0, bool)

    def clusters(self, key: str | None) -> tuple[Labels | None, str | None]:
        """Give the group of each pair and what it is; see `chosen_clusters`."""
        kinds = self._groups if key is not None else [*self._groups, self._items]
        groups = [np.frombuffer(labels, dtype=np.int64) for labels in kinds]
        return chosen_clusters(groups, key) if self.pairs else (None, None)

    def with_key(self) -> int:
        """Count the pairs that have the key by which samples are to be grouped."""
        return self.pairs - self._without_group[0] if self._without_group else 0
