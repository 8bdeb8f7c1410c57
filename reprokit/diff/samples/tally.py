"""The counts of a task while its samples stream by, and which of them are worth showing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from reprokit.bundle.values import Score
from reprokit.diff.difference import Flips, MatchedBy, Origin, Stage, Turn
from reprokit.diff.samples.choosing import Candidate, Condition
from reprokit.diff.samples.columns import Columns
from reprokit.diff.samples.fingerprint import Comparison, Reduced, compare, origin
from reprokit.diff.samples.keys import Key, Order, order
from reprokit.diff.samples.matching import is_by_document

_BINARY = (0, 1)
_OF_THE_MODEL = frozenset({"response", "answer"})


class Found(Struct, frozen=True, gc=False):
    """How a sample differs; `only_in` names the side that alone has it."""

    first: Origin
    changed: tuple[Stage, ...]
    turned: dict[str, Turn]
    only_in: Literal["a", "b"] | None = None


class Noted(Struct, frozen=True, gc=False):
    """A sample that is to be shown, by what it takes to find it again."""

    rank: int
    order: Order
    key: Key
    found: Found


def _count(counts: dict[str, int], stages: Iterable[str]) -> None:
    for stage in stages:
        counts[stage] = counts.get(stage, 0) + 1


@dataclass(kw_only=True)
class Tally:
    """The counts of one task."""

    most_shown: int
    wanted: Condition | None
    lower_is_better: frozenset[str]
    compared: int = 0
    identical: int = 0
    differing: int = 0
    only_in_a: int = 0
    only_in_b: int = 0
    unanswered: int = 0
    other_questions: int = 0
    same_score: int = 0
    chosen: int = 0
    changed: dict[str, int] = field(default_factory=dict)
    first: Counter[str] = field(default_factory=Counter)
    unknown: dict[str, int] = field(default_factory=dict)
    known_by_one: dict[str, int] = field(default_factory=dict)
    matched_by: Counter[MatchedBy] = field(default_factory=Counter)
    columns: dict[str | None, Columns] = field(default_factory=dict)
    _noted: list[Noted] = field(default_factory=list)
    _worst: int = 4

    def add(self, one: Reduced | None, other: Reduced | None) -> None:
        """Count a pair, or a sample without a partner."""
        if one is not None and other is not None:
            self._compared(one, other)
        elif one is not None:
            self._alone(one, in_a=True)
        elif other is not None:
            self._alone(other, in_a=False)

    def _of(self, filter_: str | None) -> Columns:
        columns = self.columns.get(filter_)
        if columns is None:
            columns = self.columns[filter_] = Columns()
        return columns

    def _alone(self, sample: Reduced, *, in_a: bool) -> None:
        self.only_in_a += in_a
        self.only_in_b += not in_a
        self._of(sample.key.filter).add_alone(sample.scores, in_a=in_a)
        self._note(3, sample, Found("other samples", (), {}, "a" if in_a else "b"), sample.id)

    def _compared(self, one: Reduced, other: Reduced) -> None:
        outcome = compare(one, other)
        first = origin(outcome)
        self.compared += 1
        self.matched_by["document" if is_by_document(one.key) else "id"] += 1
        self.identical += not outcome.changed and not outcome.known_by_one
        if outcome.unknown:
            self.unanswered += {"response", "answer"} <= set(outcome.unknown)
            _count(self.unknown, outcome.unknown)
            _count(self.known_by_one, outcome.known_by_one)
        self._of(one.key.filter).add(one, other, first, asked_alike=outcome.asked_alike)
        self.other_questions += not outcome.asked_alike
        if first is not None:
            self._differs(one, other, outcome, first)

    def _differs(self, one: Reduced, other: Reduced, outcome: Comparison, first: Origin) -> None:
        scored = "score" in outcome.changed
        self.differing += 1
        self.same_score += not scored
        _count(self.changed, outcome.changed)
        self.first[first] += 1
        turned = self._turned(one, other) if scored else {}
        rank = 0 if turned else 1 if scored else 2 if _OF_THE_MODEL & set(outcome.changed) else 4
        self._note(rank, one, Found(first, outcome.changed, turned), other.id)

    def _turned(self, one: Reduced, other: Reduced) -> dict[str, Turn]:
        turned: dict[str, Turn] = {}
        for name, before in one.scores.items():
            turn = self._turn(name, before, other.scores[name]) if name in other.scores else None
            if turn is not None:
                turned[name] = turn
        return turned

    def _turn(self, name: str, before: Score, after: Score) -> Turn | None:
        if before == after or before not in _BINARY or after not in _BINARY:
            return None
        return "wrong to right" if (after == 1) != (name in self.lower_is_better) else "right to wrong"

    def _note(self, rank: int, sample: Reduced, found: Found, id_in_b: int | str) -> None:
        """Keep the samples most worth a look, in an order that does not depend on the files' own."""
        if self.wanted is not None:
            turned = frozenset(found.turned.values())
            candidate = Candidate(sample.id, id_in_b, found.changed, found.first, turned, found.only_in)
            if not self.wanted(candidate):
                return
        self.chosen += 1
        if rank > self._worst:
            return
        key = sample.key
        place = order(key.filter, key.id, key.epoch, key.occurrence)
        self._noted.append(Noted(rank, place, key, found))
        if len(self._noted) > 2 * self.most_shown + 64:
            self._noted = self.noted()
            self._worst = self._noted[-1].rank if self._noted else -1

    def noted(self) -> list[Noted]:
        """List the samples to be shown, most worth a look first."""
        return sorted(self._noted, key=lambda noted: (noted.rank, noted.order))[: self.most_shown]

    def is_binary(self, filter_: str | None, metric: str) -> bool:
        """Tell whether a metric gave nothing but 0 and 1 to the samples that both sides have."""
        return filter_ in self.columns and self.columns[filter_].turned(metric) is not None

    def flips(self) -> list[Flips]:
        """Count the samples that turned, for each metric that only says right or wrong."""
        flips: list[Flips] = []
        for filter_, columns in sorted(self.columns.items(), key=lambda item: (item[0] is not None, item[0] or "")):
            for name in columns.metrics:
                won, lost = columns.turned(name) or (0, 0)
                if name in self.lower_is_better:
                    won, lost = lost, won
                if won or lost:
                    flips.append(Flips(metric=name, filter=filter_, right_to_wrong=lost, wrong_to_right=won))
        return flips
