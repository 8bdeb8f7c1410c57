"""The tier `rescore`: every score of a bundle from its samples, as far as its record says how.

The tolerance, when a score is a mean of the marks as they were saved, and when a group's is a mean of its tasks', are
what `consistency` says: it is asked whether it would find a wrong score, and whether it finds this one wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec.structs import replace

from reprokit.bundle.reading import Bundle
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.values import NotScored, as_number
from reprokit.consistency import aggregates, groups
from reprokit.consistency.definitions import is_defined, tally_of
from reprokit.consistency.moments import agree
from reprokit.consistency.tally import Tally
from reprokit.reproduce.rescoring.definitions import Definition
from reprokit.reproduce.rescoring.recounts import Recount, Recounts
from reprokit.reproduce.rescoring.values import Rescored, RescoredRow

_WRONG_MEAN = "W318"
_WRONG_GROUP = "W320"
_NAMED = 3


def rescore(bundle: Bundle) -> Rescored:
    """Compute all scores of a bundle again, reading its samples once.

    - `identical scores`: every score can be computed again and is what was reported, and so is every mark
    - `inconclusive`: so it is with those that can be, and some cannot be
    - `different`: a score or a mark is not
    - `not comparable`: no score can be computed again

    Memory does not grow with the number of samples, but for what finds one that is there twice.

    Raises:
        InvalidRecordError: a record or a sample is not what the format says.
        NotFoundError: a file of the bundle is missing.
    """
    recounts = Recounts(record=bundle.record, results=bundle.results)
    known: dict[str, tuple[dict[str, Definition], str]] = {}
    for task in bundle.results.tasks:
        known[task.name] = recounts.definitions(task)
        if task.samples_file is not None:
            for sample in bundle.samples(task.name):
                recounts.see(sample, task, known[task.name][0])
    rows = [_row(metric, recounts, known) for metric in bundle.results.metrics if not metric.group]
    rows += _groups(rows, recounts)
    verdict, reason = _verdict(rows, recounts)
    return Rescored(
        verdict=verdict,
        reason=reason,
        rows=rows,
        samples_rescored=recounts.rescored,
        samples_changed=recounts.changed_samples,
        changed=recounts.changed,
    )


def _row(metric: Metric, recounts: Recounts, known: dict[str, tuple[dict[str, Definition], str]]) -> RescoredRow:
    row = RescoredRow(task=metric.task, metric=metric.metric, filter=metric.filter, reported=metric.value)
    task = next((each for each in recounts.results.tasks if each.name == metric.task), None)
    tally = tally_of(recounts.results, metric, recounts.tallies)
    obstacle = _obstacle(metric, task, tally)
    if obstacle or task is None or tally is None:
        return replace(row, reason=obstacle)
    found, otherwise = known[task.name]
    recount = _recount(metric, tally, recounts)
    definition = found.get(metric.metric)
    why = recount.obstacle or otherwise if recount is not None else otherwise
    if recount is not None and definition is not None and not recount.obstacle and recount.count == tally.samples:
        score, reported = recount.score(definition), as_number(metric.value)
        if score is not None:
            same = reported is not None and agree(reported, score, recount.largest)
            return replace(row, recomputed=score, same=same, how="predictions", reason=_part(task))
        why = "what the answers give is no number"
    return _of_marks(row, metric, tally, recounts, "; ".join(each for each in (why, _part(task)) if each))


def _of_marks(row: RescoredRow, metric: Metric, tally: Tally, recounts: Recounts, reason: str) -> RescoredRow:
    """Recompute a score from the marks that its samples were saved with."""
    moments = tally.scores.get(metric.metric)
    if moments is None or not moments.count:
        return replace(row, reason="its samples hold no marks of it")
    if moments.unusable:
        return replace(row, reason=f"{moments.unusable} of its {tally.samples} samples have no mark")
    wrong = -(1e6 + 10 * moments.largest)
    if not _is_wrong_mean(metric, wrong, recounts):
        return replace(row, reason="how it is computed from its samples is not known")
    reported = as_number(metric.value)
    same = reported is not None and not _is_wrong_mean(metric, reported, recounts)
    return replace(row, recomputed=moments.mean, same=same, how="sample scores", reason=reason)


def _is_wrong_mean(metric: Metric, value: float, recounts: Recounts) -> bool:
    """Ask whether a score would be told to be no mean of its samples' marks."""
    results = replace(recounts.results, metrics=[replace(metric, value=value)])
    # Which samples a score is over may depend on the other scores of its task.
    others = [each for each in recounts.results.metrics if each.task == metric.task and each.filter != metric.filter]
    results = replace(
        results, metrics=[*results.metrics, *(replace(each, value=NotScored(not_scored="")) for each in others)]
    )
    return any(found.code == _WRONG_MEAN for found in aggregates.findings(results, recounts.tallies))


def _obstacle(metric: Metric, task: Task | None, tally: Tally | None) -> str:
    """Say why a score of a task cannot be computed again; nothing when it may be."""
    if isinstance(metric.value, NotScored):
        return f"it is no number but `{metric.value.not_scored[:100]}`"
    if task is None or tally is None:
        return "no samples of it were saved"
    if tally.keys.repeated:
        return "some of its samples are there more than once"
    claimed = metric.n if metric.n is not None else task.samples_claimed
    if claimed is None and is_defined(task):
        return "how many samples it is over is not said"
    if claimed is not None and claimed != tally.samples:
        return f"it is over {claimed} samples, of which {tally.samples} are there"
    return ""


def _part(task: Task) -> str:
    claimed, available = task.samples_claimed, task.samples_available
    if claimed is None or available is None or claimed >= available:
        return ""
    return f"over {claimed} of the {available} samples of its dataset"


def _recount(metric: Metric, tally: Tally, recounts: Recounts) -> Recount | None:
    key = next(key for key, each in recounts.tallies.items() if each is tally)
    return recounts.by_key.get(key, {}).get(metric.metric)


def _groups(rows: list[RescoredRow], recounts: Recounts) -> Iterator[RescoredRow]:
    """Recompute the scores of groups from those of their tasks, which have to be known anew."""
    again = {(row.task, row.metric, row.filter): row.recomputed for row in rows if row.recomputed is not None}
    metrics = [
        each
        if each.group
        else replace(each, value=again.get((each.task, each.metric, each.filter), NotScored(not_scored="unknown")))
        for each in recounts.results.metrics
    ]
    for metric in (each for each in metrics if each.group):
        others = [each for each in metrics if not each.group]
        yield _group(metric, replace(recounts.results, metrics=others), recounts)


def _group(metric: Metric, tasks: Results, recounts: Recounts) -> RescoredRow:
    row = RescoredRow(task=metric.task, metric=metric.metric, filter=metric.filter, group=True, reported=metric.value)
    reported = as_number(metric.value)
    if reported is None:
        return replace(row, reason="it is no number")
    names = set(groups.leaves(tasks.groups, metric.task))
    members = [each for each in tasks.metrics if each.task in names and _key(each) == _key(metric)]
    values = [as_number(each.value) for each in members]
    known = [value for value in values if value is not None]
    largest = max(map(abs, known), default=0.0)
    if not known or len(known) != len(values) or not _is_wrong_group(metric, -(1e6 + 10 * largest), tasks, recounts):
        return replace(row, reason="the scores of its tasks cannot all be computed again")
    sizes = [each.n for each in members]
    means = [sum(known) / len(known)]
    if all(sizes):
        weights = [size or 0 for size in sizes]
        means.append(sum(value * size for value, size in zip(known, weights, strict=True)) / sum(weights))
    nearest = min(means, key=lambda mean: abs(mean - reported))
    same = not _is_wrong_group(metric, reported, tasks, recounts)
    return replace(row, recomputed=nearest, same=same, how="task scores")


def _key(metric: Metric) -> tuple[str, str | None]:
    return metric.metric, metric.filter


def _is_wrong_group(metric: Metric, value: float, tasks: Results, recounts: Recounts) -> bool:
    results = replace(tasks, metrics=[*tasks.metrics, replace(metric, value=value)])
    return any(found.code == _WRONG_GROUP for found in groups.findings(results, recounts.tallies))


def _verdict(
    rows: list[RescoredRow], recounts: Recounts
) -> tuple[Literal["identical scores", "inconclusive", "different", "not comparable"], str]:
    compared = [row for row in rows if row.same is not None]
    unequal = [row for row in compared if not row.same]
    if unequal or recounts.changed_samples:
        told = [_told(unequal, of=len(compared))] if unequal else []
        if recounts.changed_samples:
            first = recounts.changed[0]
            told.append(
                f"{recounts.changed_samples} samples were saved with what does not follow from them, such as"
                f" `{first.what}` of sample `{first.id}` of `{first.task}`"
            )
        return "different", "; ".join(told)
    left = [row for row in rows if row.same is None]
    if not compared:
        why = f": {left[0].reason}" if left else ": there are none"
        return "not comparable", f"no score can be computed again{why}"
    equal = f"all scores that can be computed again are equal ({len(compared)})"
    if not left:
        return "identical scores", equal
    named = ", ".join(f"{_name(row)} ({row.reason})" for row in left[:_NAMED])
    return "inconclusive", f"{equal}; {len(left)} cannot be: {named}{', …' if len(left) > _NAMED else ''}"


def _told(unequal: list[RescoredRow], *, of: int) -> str:
    named = ", ".join(_name(row) for row in unequal[:_NAMED])
    return f"{len(unequal)} of {of} scores differ: {named}{', …' if len(unequal) > _NAMED else ''}"


def _name(row: RescoredRow) -> str:
    extraction = f" of filter `{row.filter}`" if row.filter is not None else ""
    return f"`{row.task}` {row.metric}{extraction}"
