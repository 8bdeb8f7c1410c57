"""The samples of one task, compared: counts, columns for statistics, where differences come from, and a few shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reprokit.bundle.sample import Sample
from reprokit.diff.difference import ORIGINS, STAGES, Asked, Said, SampleChange, TaskSamples, Where
from reprokit.diff.samples.choosing import Condition, conditions
from reprokit.diff.samples.clusters import Grouping
from reprokit.diff.samples.columns import Columns
from reprokit.diff.samples.fingerprint import plain
from reprokit.diff.samples.keys import Key, Occurrences
from reprokit.diff.samples.matching import Matching, by_document, keyed
from reprokit.diff.samples.pairing import pairs
from reprokit.diff.samples.scanning import scan, whole
from reprokit.diff.samples.tally import Noted, Tally
from reprokit.diff.side import Side
from reprokit.diff.tasks import PairedTask


@dataclass(frozen=True, kw_only=True)
class ComparedSamples:
    """What came of comparing the samples of a task: the counts, and its pairs in numbers by a's name of the filter."""

    task: PairedTask
    counts: TaskSamples
    columns: dict[str | None, Columns]
    matching: Matching


def compare_samples(a: Side, b: Side, task: PairedTask, asked: Asked) -> ComparedSamples:
    """Compare the samples of a task that at least one side saved.

    Samples are partners when id (as typed), epoch and filter are the same; between two harnesses, or when asked for,
    first when they are about the same document. Of lines that repeat these, the first goes with the other side's first,
    the second with its second, and so on; they are counted. What a harness saved beside the stages (`extra`: timings,
    token counts) is not compared. A flip is counted under a metric that gives nothing but 0 and 1 to the samples that
    both sides have; 1 counts as right unless the results of either side say that lower is better.

    Raises:
        InvalidRecordError: a line of samples cannot be read.
        UsageError: `asked.where` holds something that is no condition.
    """
    matching = _matching(a, b, task, asked)
    seen_a, seen_b = Occurrences(), Occurrences()
    tally = Tally(
        most_shown=asked.shown,
        wanted=_wanted(asked, _saved_in(a, b, task)),
        lower_is_better=_lower_is_better(a, task.a) | _lower_is_better(b, task.b),
    )
    grouping = Grouping(asked.cluster)
    left = keyed(scan(a, task.a), matching, seen_a, grouping, second=False)
    right = keyed(scan(b, task.b), matching, seen_b, grouping, second=True)
    for one, other in pairs(left, right):
        tally.add(one, other)
    noted = tally.noted()
    counts = TaskSamples(
        task=task.a,
        task_in_b=task.in_b,
        saved_in=_saved_in(a, b, task),
        compared=tally.compared,
        identical=tally.identical,
        differing=tally.differing,
        only_in_a=tally.only_in_a,
        only_in_b=tally.only_in_b,
        matched_by=dict(sorted(tally.matched_by.items())),
        repeated_in_a=seen_a.repeated,
        repeated_in_b=seen_b.repeated,
        changed=_counts(tally.changed, STAGES),
        first=_counts(tally.first, ORIGINS),
        same_score=tally.same_score,
        unknown=_counts(tally.unknown, STAGES),
        known_by_one=_counts(tally.known_by_one, STAGES),
        unanswered=tally.unanswered,
        other_questions=tally.other_questions,
        flips=tally.flips(),
        chosen=tally.chosen,
        shown=_shown(a, b, task, noted, matching, tally),
    )
    return ComparedSamples(task=task, counts=counts, columns=tally.columns, matching=matching)


def _wanted(asked: Asked, saved_in: Where) -> Condition | None:
    """Of a task that one side lacks altogether, samples are shown only when they are asked for."""
    if asked.where:
        return conditions(asked.where)
    return None if saved_in == "both" else lambda _: False


def _matching(a: Side, b: Side, task: PairedTask, asked: Asked) -> Matching:
    across = a.record.harness.name != b.record.harness.name
    renamed: dict[str | None, str | None] = {other: one for one, other in asked.filters.items()}
    if asked.match == "id" or (asked.match == "auto" and not across):
        return Matching(across=across, renamed=renamed)
    return by_document(scan(a, task.a), scan(b, task.b), across=across, renamed=renamed)


def _saved_in(a: Side, b: Side, task: PairedTask) -> Where:
    if task.a in a.tasks():
        return "both" if task.b in b.tasks() else "a"
    return "b"


def _counts(counter: dict[str, int], names: Sequence[str]) -> dict[str, int]:
    return {name: counter[name] for name in names if counter.get(name)}


def _lower_is_better(side: Side, task: str) -> frozenset[str]:
    return frozenset(row.metric for row in side.results.metrics if row.task == task and row.higher_is_better is False)


def _quoted(side: Side, task: str, wanted: set[Key], matching: Matching, *, second: bool) -> dict[Key, Sample]:
    """Read a file again for the samples that are to be quoted."""
    found: dict[Key, Sample] = {}
    if task in side.tasks() and wanted:
        again = keyed(scan(side, task), matching, Occurrences(), Grouping(), second=second)
        for number, (reduced, line) in enumerate(zip(again, side.lines(task), strict=True), start=1):
            if reduced.key in wanted:
                found[reduced.key] = whole(side, task, number, line)
                if len(found) == len(wanted):
                    break
    return found


def _said(sample: Sample | None) -> Said | None:
    if sample is None:
        return None
    return Said(
        document=sample.document,
        prompt=sample.prompt,
        target=sample.target,
        media=sample.media,
        responses=sample.responses,
        answer=sample.answer,
        scores={name: plain(score) for name, score in sample.scores.items()},
    )


def _shown(
    a: Side, b: Side, task: PairedTask, noted: Sequence[Noted], matching: Matching, tally: Tally
) -> list[SampleChange]:
    wanted = {each.key for each in noted}
    left = _quoted(a, task.a, wanted, matching, second=False)
    right = _quoted(b, task.b, wanted, matching, second=True)
    return [_change(task, each, left.get(each.key), right.get(each.key), tally) for each in noted]


def _change(task: PairedTask, noted: Noted, one: Sample | None, other: Sample | None, tally: Tally) -> SampleChange:
    ids = [sample.id for sample in (one, other) if sample is not None]
    key = noted.key
    return SampleChange(
        task=task.a,
        id=ids[0],
        id_in_b=ids[1] if len(ids) > 1 and ids[1] != ids[0] else None,
        epoch=key.epoch,
        filter=key.filter,
        occurrence=key.occurrence,
        changed=list(noted.found.changed),
        first=noted.found.first,
        turned={name: turn for name, turn in noted.found.turned.items() if tally.is_binary(key.filter, name)},
        a=_said(one),
        b=_said(other),
    )
