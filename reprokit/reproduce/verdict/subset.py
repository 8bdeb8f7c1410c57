"""Two runs, held together over some of the samples only: those that the second was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from reprokit.bundle.results import Metric, Results, Task
from reprokit.diff.difference import Asked
from reprokit.diff.samples.scanning import scan
from reprokit.diff.side import Side
from reprokit.reproduce.verdict.choosing import Identifier
from reprokit.reproduce.verdict.gathering import Gathered
from reprokit.reproduce.verdict.restricted import Restricted, Wanted

_Key: TypeAlias = tuple[str, str, str | None]


class LeftOut(Struct, frozen=True, kw_only=True):
    """A score of the original that cannot be told of some samples alone."""

    task: str
    metric: str
    filter: str | None = None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Subset:
    """The original and the new runs over the same samples, and the scores of the original that are left out."""

    original: Restricted
    new: list[Restricted]
    left_out: list[LeftOut]

    def asked(self, asked: Asked) -> Asked:
        """Drop the margins for metrics that are left out altogether."""
        there = {metric.metric for side in (self.original, *self.new) for metric in side.results.metrics}
        gone = {each.metric for each in self.left_out} - there
        return replace(asked, margins={name: margin for name, margin in asked.margins.items() if name not in gone})


@dataclass(kw_only=True)
class _Seen:
    """The samples of a task: all marks, and the samples and number of lines that were asked for and are there."""

    marks: Gathered = field(default_factory=Gathered)
    ids: set[Identifier] = field(default_factory=set)
    lines: int = 0


def subset(original: Side, new: Sequence[Side], ids: Mapping[str, Iterable[Identifier]]) -> Subset:
    """Restrict runs to the samples that the new ones were asked for.

    A score is told of some samples alone when it is the mean of its samples' marks, which is checked over all samples
    that the original saved; it is then computed again, in the same way for all. Other scores of the original, and those
    of groups, are left out of all and named. A score of a new run that is no mean where the original's is one stays as
    it was reported: nothing is left out for being odd. What a new run did beyond what it was asked for does not count;
    what it left undone does.

    Args:
        original: the run that was captured.
        new: the runs that were made again, over these samples or more.
        ids: by task the samples that were asked for. Tasks that are not named do not count.

    Raises:
        InvalidRecordError: a line of samples cannot be read.
    """
    wanted = {task: frozenset(chosen) for task, chosen in ids.items()}
    before, after = _survey(original, wanted), [_survey(each, wanted) for each in new]
    scores: list[Metric] = []
    left_out: list[LeftOut] = []
    units: dict[_Key, float] = {}
    for metric in original.results.metrics:
        scales = _scales(metric, before)
        theirs = [_scales_of_all(metric, each.results, seen) for each, seen in zip(new, after, strict=True)]
        unit = min(scales.intersection(*theirs) or scales, default=None)
        found = None if unit is None else _over_these(metric, unit, before)
        if unit is None or found is None:
            reason = _why(metric, wanted, before, mean=unit is not None)
            left_out.append(LeftOut(task=metric.task, metric=metric.metric, filter=metric.filter, reason=reason))
        else:
            units[_key(metric)] = unit
            scores.append(found)
    unknown = {(each.task, each.metric, each.filter) for each in left_out}
    return Subset(
        original=Restricted(original, wanted, _results(original.results, scores, before, wanted)),
        new=[
            Restricted(each, wanted, _results(each.results, _again(each.results, units, unknown, seen), seen, wanted))
            for each, seen in zip(new, after, strict=True)
        ],
        left_out=left_out,
    )


def _survey(side: Side, wanted: Wanted) -> dict[str, _Seen]:
    found = {task: _Seen() for task in side.tasks() if task in wanted}
    for task, seen in found.items():
        for sample in scan(side, task):
            seen.marks.see(sample.filter, sample.scores)
            if sample.id in wanted[task]:
                seen.marks.keep(sample.filter, sample.scores)
                seen.ids.add(sample.id)
                seen.lines += 1
    return found


def _key(metric: Metric) -> _Key:
    return metric.task, metric.metric, metric.filter


def _scales(metric: Metric, seen: Mapping[str, _Seen]) -> set[float]:
    return set() if metric.group or metric.task not in seen else seen[metric.task].marks.scales(metric)


def _scales_of_all(metric: Metric, results: Results, seen: Mapping[str, _Seen]) -> set[float]:
    """Tell what fits a run's scores of the same name: a harness may report one twice."""
    return {scale for each in results.metrics if _key(each) == _key(metric) for scale in _scales(each, seen)}


def _over_these(metric: Metric, unit: float, seen: Mapping[str, _Seen]) -> Metric | None:
    found = seen[metric.task].marks.of_kept(metric)
    if found is None:
        return None
    return replace(metric, value=found[0] * unit, stderr=None, other_stderr={}, n=found[1], extra=None)


def _again(
    results: Results, units: Mapping[_Key, float], unknown: set[_Key], seen: Mapping[str, _Seen]
) -> list[Metric]:
    """Give the scores of a new run as the original's were given, else as they were reported."""
    found: list[Metric] = []
    for metric in results.metrics:
        unit = units.get(_key(metric))
        if unit is not None and unit in _scales(metric, seen):
            found.append(_over_these(metric, unit, seen) or metric)
        elif _key(metric) not in unknown:
            found.append(metric)
    return found


def _why(metric: Metric, wanted: Wanted, seen: Mapping[str, _Seen], *, mean: bool) -> str:
    if metric.group:
        return "the score of a group is over all samples of its tasks"
    if metric.task not in wanted:
        return "no sample of its task was asked for"
    if metric.task not in seen:
        return "the original saved no samples of its task"
    if mean:
        return "no sample that was asked for has a mark under it"
    return "it is not the mean of its samples' scores"


def _results(whole: Results, scores: list[Metric], seen: Mapping[str, _Seen], wanted: Wanted) -> Results:
    tasks = [_task(task, seen.get(task.name)) for task in whole.tasks if task.name in wanted]
    asked_for = [metric for metric in scores if not metric.group and metric.task in wanted]
    return replace(whole, metrics=asked_for, tasks=tasks, groups={})


def _task(task: Task, seen: _Seen | None) -> Task:
    if seen is None:
        return task
    return replace(task, samples_claimed=len(seen.ids), samples_saved=seen.lines)
