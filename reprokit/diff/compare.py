"""Comparing two bundles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from reprokit.diff.comparability import compare_tasks
from reprokit.diff.difference import (
    Asked,
    CodeChange,
    Comparability,
    Compared,
    Difference,
    ScoreRow,
    TaskComparability,
    TaskSamples,
    Waterfall,
)
from reprokit.diff.samples.comparing import ComparedSamples, compare_samples
from reprokit.diff.samples.waterfall import waterfall
from reprokit.diff.scores.inferring import Evidence, columns_of, scale, with_inference
from reprokit.diff.scores.margins import require_margins
from reprokit.diff.scores.rows import Naming, score_rows
from reprokit.diff.setup.comparing import compare_set_ups
from reprokit.diff.side import Side, has_results
from reprokit.diff.tasks import PairedTask, pair_tasks
from reprokit.diff.verdict import SAME, Grounds, headline, judge
from reprokit.errors import UsageError

AS_USUAL = Asked()
"""How two bundles are compared when nothing else is asked for."""


def compare(a: Side, b: Side, asked: Asked = AS_USUAL, *, code: Iterable[CodeChange] = ()) -> Difference:
    """Compare two bundles: are they comparable, what changed in the set-up, which scores and samples differ, and why.

    Args:
        a: the first bundle; "before".
        b: the second bundle; "after".
        asked: how to compare them.
        code: what lies between their checkouts, for the caller to find out: it takes more than the two bundles.

    Raises:
        InvalidRecordError: a record or a line of samples cannot be read.
        UsageError: what was asked for does not go with these bundles.
    """
    tasks = pair_tasks(a, b, asked)
    set_ups = compare_set_ups(a, b, tasks)
    compared = [compare_samples(a, b, task, asked) for task in tasks if task.a in a.tasks() or task.b in b.tasks()]
    _require_key(asked, compared)
    _require_filters(a, asked, compared)
    comparability = compare_tasks(a, b, tasks, set_ups.tasks, [each.counts for each in compared])
    if a.identity == b.identity:
        # Whatever it did not save: no run can have measured anything else than it did itself.
        comparability = Comparability(status="comparable", reason=SAME, tasks=list(map(_same, comparability.tasks)))
    scores = _scores(a, b, tasks, compared, comparability, asked)
    require_margins(asked, scores)
    samples = [_with_waterfalls(each, scores) for each in compared]
    verdict, reason = judge(
        Grounds(
            same_bundle=a.identity == b.identity,
            with_results=has_results(a) + has_results(b),
            comparability=comparability,
            set_up=set_ups.whole,
            scores=scores,
            samples=samples,
            asked=asked,
        )
    )
    return Difference(
        a=_compared(a),
        b=_compared(b),
        asked=asked,
        verdict=verdict,
        reason=reason,
        headline=headline(verdict, reason),
        comparability=comparability,
        setup=list(set_ups.whole.changes),
        ignored=list(set_ups.whole.ignored),
        not_compared=list(set_ups.whole.not_compared),
        code=list(code),
        scores=scores,
        samples=samples,
    )


def _require_key(asked: Asked, compared: Sequence[ComparedSamples]) -> None:
    pairs = [columns for each in compared for columns in each.columns.values() if columns.pairs]
    if asked.cluster is not None and pairs and not any(columns.with_key() for columns in pairs):
        hint = "name a key of the documents, such as `passage_id` or `meta.image`; or `id`"
        raise UsageError(f"no sample has `{asked.cluster}`, by which they are to be grouped", hint=hint)


def _require_filters(a: Side, asked: Asked, compared: Sequence[ComparedSamples]) -> None:
    """Refuse an answer extraction that a does not have: what b calls by its name would have no partner."""
    known = {metric.filter for metric in a.results.metrics if metric.filter is not None}
    paired = {name for each in compared for name, columns in each.columns.items() if columns.pairs}
    for name in asked.filters:
        if name not in known | paired:
            there = ", ".join(f"`{each}`" for each in sorted(known)) or "none with a name"
            raise UsageError(f"there is no answer extraction `{name}` in the first bundle", hint=f"there are {there}")


def _scores(
    a: Side,
    b: Side,
    tasks: Sequence[PairedTask],
    compared: Sequence[ComparedSamples],
    comparability: Comparability,
    asked: Asked,
) -> list[ScoreRow]:
    by_task = {each.task.a: each for each in compared}

    def filter_of(task: str, filter_: str | None) -> str | None:
        return by_task[task].matching.aligned(filter_) if task in by_task else filter_

    rows = score_rows(a.results, b.results, Naming(tasks={task.b: task.a for task in tasks}, filter_of=filter_of))
    if asked.tasks:
        wanted = {name for task in tasks for name in (task.a, task.b)}
        rows = [row for row in rows if row.task in wanted]
    evidence = Evidence(
        samples=by_task,
        comparability={task.task: task for task in comparability.tasks},
        a=a.results,
        b=b.results,
        asked=asked,
    )
    return with_inference(rows, evidence)


def _with_waterfalls(compared: ComparedSamples, scores: Sequence[ScoreRow]) -> TaskSamples:
    """Split the difference of every score of a task that is the mean over its samples."""
    found: list[Waterfall] = []
    for row in scores:
        if row.group or row.task != compared.task.a or row.same or row.difference is None:
            continue
        columns = columns_of(row, compared)
        factor = None if columns is None else scale(row, columns)
        if columns is not None and factor is not None and columns.pairs:
            split = waterfall(columns, row.metric, row.filter, scale=factor)
            found += [] if split is None else [split]
    return replace(compared.counts, waterfalls=found)


def _same(task: TaskComparability) -> TaskComparability:
    return replace(task, status="comparable", reason=SAME)


def _compared(side: Side) -> Compared:
    record = side.record
    return Compared(
        bundle_id=side.info.bundle_id,
        identity=side.identity,
        harness=record.harness.name,
        models=[model.name for model in record.subject.models],
        started=record.run.started if isinstance(record.run.started, str) else None,
        has_results=has_results(side),
    )
