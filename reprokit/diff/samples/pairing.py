"""Two files of samples, paired and compared while they stream by.

Both files are read side by side. A sample waits, reduced to a fingerprint of a few hundred bytes, until its partner
comes by in the other file: files in the same order never have more than a handful waiting, files in opposite order at
most all of them. Documents, prompts and responses are never held; the few samples that are quoted are read once more.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Score
from reprokit.diff.difference import STAGES, Flips, Said, SampleChange, Stage, TaskSamples, Where
from reprokit.diff.samples.fingerprint import (
    Comparison,
    Fingerprint,
    Key,
    Occurrences,
    Order,
    compare,
    fingerprints,
    is_number,
    order,
    plain,
)
from reprokit.diff.side import Side

Pair = tuple[Fingerprint | None, Fingerprint | None]
_BINARY = (0, 1)


@dataclass(kw_only=True)
class _Metric:
    """A metric while it is tallied: whether all its values are right or wrong, and how many turned."""

    binary: bool = True
    to_one: int = 0
    to_zero: int = 0


@dataclass(kw_only=True)
class _Tally:
    """The counts of a task while its samples stream by."""

    most_shown: int
    compared: int = 0
    identical: int = 0
    differing: int = 0
    only_in_a: int = 0
    only_in_b: int = 0
    unanswered: int = 0
    changed: Counter[Stage] = field(default_factory=Counter)
    unknown: Counter[Stage] = field(default_factory=Counter)
    known_by_one: Counter[Stage] = field(default_factory=Counter)
    metrics: dict[str, _Metric] = field(default_factory=dict)
    shown: list[tuple[int, Order, Key, tuple[Stage, ...]]] = field(default_factory=list)

    def add(self, one: Fingerprint | None, other: Fingerprint | None) -> None:
        """Count a pair, or a sample without a partner."""
        if one is None:
            self.only_in_b += 1
        elif other is None:
            self.only_in_a += 1
        else:
            self._compared(one, other)

    def _compared(self, one: Fingerprint, other: Fingerprint) -> None:
        outcome = compare(one, other)
        self.compared += 1
        self.identical += not outcome.changed and not outcome.known_by_one
        if outcome.unknown:
            self.unanswered += {"response", "answer"} <= set(outcome.unknown)
            self.unknown.update(outcome.unknown)
            self.known_by_one.update(outcome.known_by_one)
        for metric in one.scores.keys() & other.scores.keys():
            self._turned(metric, one.scores[metric], other.scores[metric])
        if outcome.changed:
            self.differing += 1
            self.changed.update(outcome.changed)
            self._show(one.key, outcome)

    def _turned(self, metric: str, before: Score, after: Score) -> None:
        counts = self.metrics.get(metric)
        if counts is None:
            counts = self.metrics[metric] = _Metric()
        counts.binary = counts.binary and all(mark in _BINARY for mark in (before, after) if is_number(mark))
        if is_number(before) and is_number(after):
            counts.to_one += before == 0 and after == 1
            counts.to_zero += before == 1 and after == 0

    def _show(self, key: Key, outcome: Comparison) -> None:
        """Keep the samples most worth a look, in an order that does not depend on the files' own."""
        rank = 0 if "score" in outcome.changed else 1 if {"response", "answer"} & set(outcome.changed) else 2
        insort(self.shown, (rank, order(key), key, outcome.changed), key=lambda item: item[:2])
        del self.shown[self.most_shown :]


def pairs(one: Iterable[Fingerprint], other: Iterable[Fingerprint]) -> Iterator[Pair]:
    """Pair two streams by key, reading both only once; those without a partner come last."""
    waiting_one: dict[Key, Fingerprint] = {}
    waiting_other: dict[Key, Fingerprint] = {}
    for left, right in zip_longest(one, other):
        if left is not None and right is not None and left.key == right.key:
            yield left, right
            continue
        if left is not None:
            partner = waiting_other.pop(left.key, None)
            if partner is not None:
                yield left, partner
            else:
                waiting_one[left.key] = left
        if right is not None:
            partner = waiting_one.pop(right.key, None)
            if partner is not None:
                yield partner, right
            else:
                waiting_other[right.key] = right
    yield from ((left, None) for left in waiting_one.values())
    yield from ((None, right) for right in waiting_other.values())


def _quoted(samples: Iterable[Sample], wanted: set[Key]) -> dict[Key, Said]:
    """Read a file again for the samples that are to be quoted."""
    found: dict[Key, Said] = {}
    occurrences = Occurrences()
    for sample in samples:
        key = Key(sample.filter, sample.id, sample.epoch, occurrences.number(sample))
        if key in wanted:
            scores = {name: plain(score) for name, score in sample.scores.items()}
            found[key] = Said(responses=sample.responses, answer=sample.answer, scores=scores)
            if len(found) == len(wanted):
                break
    return found


def _flips(metrics: dict[str, _Metric], lower_is_better: frozenset[str]) -> list[Flips]:
    flips: list[Flips] = []
    for name, counts in sorted(metrics.items()):
        if counts.binary and (counts.to_one or counts.to_zero):
            lost, won = (counts.to_zero, counts.to_one)
            if name in lower_is_better:
                lost, won = won, lost
            flips.append(Flips(metric=name, right_to_wrong=lost, wrong_to_right=won))
    return flips


def _counts(counter: Counter[Stage]) -> dict[str, int]:
    return {stage: counter[stage] for stage in STAGES if counter[stage]}


def _lower_is_better(side: Side, task: str) -> frozenset[str]:
    return frozenset(row.metric for row in side.results.metrics if row.task == task and row.higher_is_better is False)


def _streams(side: Side, task: str) -> Iterator[Sample]:
    return side.samples(task) if task in side.tasks() else iter(())


def pair_samples(a: Side, b: Side, task: str, *, shown: int) -> TaskSamples:
    """Compare the samples of a task that at least one side saved.

    Samples are partners when id (as typed), epoch and filter are the same. Of lines that repeat these, the first goes
    with the other side's first, the second with its second, and so on; they are counted. What a harness saved beside
    the stages (`extra`: timings, token counts) is not compared. A flip is counted under a metric that gives nothing but
    0 and 1 to the samples that both sides have; 1 counts as right unless the results of either side say that lower is
    better.

    Args:
        a: the first side.
        b: the second side.
        task: the task.
        shown: how many differing samples to quote at most, changed scores first.
    """
    seen_a, seen_b = Occurrences(), Occurrences()
    tally = _Tally(most_shown=shown)
    for one, other in pairs(fingerprints(_streams(a, task), seen_a), fingerprints(_streams(b, task), seen_b)):
        tally.add(one, other)
    saved_in: Where = "both" if task in a.tasks() and task in b.tasks() else "a" if task in a.tasks() else "b"
    return TaskSamples(
        task=task,
        saved_in=saved_in,
        compared=tally.compared,
        identical=tally.identical,
        differing=tally.differing,
        only_in_a=tally.only_in_a,
        only_in_b=tally.only_in_b,
        repeated_in_a=seen_a.repeated,
        repeated_in_b=seen_b.repeated,
        changed=_counts(tally.changed),
        unknown=_counts(tally.unknown),
        known_by_one=_counts(tally.known_by_one),
        unanswered=tally.unanswered,
        flips=_flips(tally.metrics, _lower_is_better(a, task) | _lower_is_better(b, task)),
        shown=_shown(a, b, task, tally),
    )


def _shown(a: Side, b: Side, task: str, tally: _Tally) -> list[SampleChange]:
    wanted = {key for _, _, key, _ in tally.shown}
    if not wanted:
        return []
    left, right = _quoted(a.samples(task), wanted), _quoted(b.samples(task), wanted)
    return [
        SampleChange(
            task=task,
            id=key.id,
            epoch=key.epoch,
            filter=key.filter,
            occurrence=key.occurrence,
            changed=list(stages),
            a=left[key],
            b=right[key],
        )
        for _, _, key, stages in tally.shown
    ]
