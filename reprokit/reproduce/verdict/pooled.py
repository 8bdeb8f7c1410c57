"""Several runs of the same evaluation as one: each sample's score is the mean over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
from msgspec import Struct

from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Record
from reprokit.bundle.results import Results
from reprokit.bundle.source import Source
from reprokit.bundle.values import Score
from reprokit.diff.samples.clusters import Grouping
from reprokit.diff.samples.fingerprint import Waiting, compare, set_aside, taken_up
from reprokit.diff.samples.keys import Key, Occurrences
from reprokit.diff.samples.matching import Matching, keyed
from reprokit.diff.samples.scanning import scan, whole
from reprokit.diff.side import Side
from reprokit.reproduce.verdict.gathering import Gathered
from reprokit.reproduce.verdict.joining import join
from reprokit.reproduce.verdict.means import mean_score, pooled_results


class _Kept(Struct, frozen=True, gc=False):
    """A sample in little space; of the first repeat with its line and the line's number, from 1."""

    waiting: Waiting
    line: bytes = b""
    number: int = 0


class _Joined(Struct, frozen=True, gc=False):
    """A sample of which all repeats were asked the same.

    `line` is the first repeat's, the `number`th of its file; `unsettled` are the stages in which repeats differ, or
    that not all of them saved.
    """

    line: bytes
    number: int
    scores: dict[str, Score]
    filter: str | None
    unsettled: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class _PooledName:
    bundle_id: str


@dataclass(frozen=True)
class Pooled:
    """Repeats as one run, whose samples are those that all of them have and were asked alike.

    A sample's score is the mean over the repeats. What the model said is kept where all said the same. A score that is
    the mean of its samples' marks in each repeat is computed from the pooled ones; any other is the mean over the
    repeats. All else is the first repeat's.

    Texts are never held but of samples of the first repeat that wait for their partners, as they do when not all
    repeats saved theirs in the same order; those of the other repeats wait as digests. Computing the scores holds 8
    bytes for each pooled mark.
    """

    repeats: Sequence[Side]

    @cached_property
    def info(self) -> _PooledName:
        """Names the first, and says how many more there are."""
        first, more = self.repeats[0].info.bundle_id, len(self.repeats) - 1
        return _PooledName(bundle_id=f"{first} and {more} more" if more else first)

    @cached_property
    def identity(self) -> str:
        """A digest of those of the repeats."""
        return canonical.digest([repeat.identity for repeat in self.repeats])

    @property
    def record(self) -> Record:
        """What happened in the first."""
        return self.repeats[0].record

    @property
    def environment(self) -> Environment | None:
        """Software and machine of the first."""
        return self.repeats[0].environment

    @property
    def sources(self) -> list[Source]:
        """The checkouts of the first."""
        return self.repeats[0].sources

    def tasks(self) -> list[str]:
        """Name the tasks of which all repeats saved samples."""
        return [task for task in self.repeats[0].tasks() if all(task in repeat.tasks() for repeat in self.repeats)]

    @cached_property
    def results(self) -> Results:
        """The scores over the pooled samples."""
        all_marks: dict[str, list[Gathered]] = {}
        pooled: dict[str, Gathered] = {}
        for task in self.tasks():
            seen, kept = [Gathered() for _ in self.repeats], Gathered()
            for slots in self._slots(task):
                for gathered, slot in zip(seen, slots, strict=True):
                    if slot is not None:
                        gathered.see(slot.waiting.key.filter, _scores(slot))
                joined = _joined(slots)
                if joined is not None:
                    kept.see(joined.filter, joined.scores)
                    kept.keep(joined.filter, joined.scores)
            all_marks[task], pooled[task] = seen, kept
        return pooled_results([repeat.results for repeat in self.repeats], all_marks, pooled)

    def lines(self, task: str) -> Iterator[bytes]:
        """Stream the pooled samples of a task, in the order in which the last repeat comes to them."""
        for slots in self._slots(task):
            joined = _joined(slots)
            if joined is not None:
                yield self._line(task, joined)

    def _line(self, task: str, joined: _Joined) -> bytes:
        sample = msgspec.structs.replace(whole(self.repeats[0], task, joined.number, joined.line), scores=joined.scores)
        if "response" in joined.unsettled:
            sample = msgspec.structs.replace(sample, responses=[], responses_digest=None)
        if "answer" in joined.unsettled:
            sample = msgspec.structs.replace(sample, answer=None, answer_digest=None)
        return canonical.line(sample)

    def _slots(self, task: str) -> Iterator[tuple[_Kept | None, ...]]:
        names: dict[tuple[str, ...], tuple[str, ...]] = {}
        return join([_kept(each, task, names, first=each is self.repeats[0]) for each in self.repeats])


def _kept(
    side: Side, task: str, names: dict[tuple[str, ...], tuple[str, ...]], *, first: bool
) -> Iterator[tuple[Key, _Kept]]:
    reduced = keyed(scan(side, task), Matching(), Occurrences(), Grouping(), second=False)
    if not first:
        yield from ((each.key, _Kept(waiting=set_aside(each, names))) for each in reduced)
        return
    for number, (each, line) in enumerate(zip(reduced, side.lines(task), strict=True), start=1):
        yield each.key, _Kept(waiting=set_aside(each, names), line=line, number=number)


def _scores(kept: _Kept) -> dict[str, Score]:
    return dict(zip(kept.waiting.metrics, kept.waiting.scores, strict=True))


def _joined(slots: Sequence[_Kept | None]) -> _Joined | None:
    """Pool a sample; `None` where a repeat lacks it, or was asked something else under its id."""
    repeats = [slot for slot in slots if slot is not None]
    if len(repeats) < len(slots):
        return None
    first = taken_up(repeats[0].waiting)
    found = [compare(first, taken_up(each.waiting)) for each in repeats[1:]]
    if not all(each.asked_alike for each in found):
        return None
    scores = [_scores(each) for each in repeats]
    return _Joined(
        line=repeats[0].line,
        number=repeats[0].number,
        scores={name: mean_score([each[name] for each in scores]) for name in scores[0] if _is_in(name, scores)},
        filter=first.key.filter,
        unsettled=frozenset(stage for each in found for stage in (*each.changed, *each.known_by_one)),
    )


def _is_in(name: str, scores: Sequence[dict[str, Score]]) -> bool:
    return all(name in each for each in scores)
