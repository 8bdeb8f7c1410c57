"""Comparing two bundles."""

from __future__ import annotations

from msgspec.structs import replace

from reprokit.diff.comparability import compare_tasks
from reprokit.diff.difference import Comparability, Compared, Difference, TaskComparability
from reprokit.diff.samples.pairing import pair_samples
from reprokit.diff.scores.rows import compare_scores
from reprokit.diff.setup.comparing import compare_set_ups
from reprokit.diff.side import Side, has_results
from reprokit.diff.verdict import SAME, judge

SHOWN = 20
"""How many differing samples of a task are quoted, if nothing else is asked for."""


def compare(a: Side, b: Side, *, shown: int = SHOWN) -> Difference:
    """Compare two bundles: are they comparable, what changed in the set-up, which scores and samples differ.

    Args:
        a: the first bundle; "before".
        b: the second bundle; "after".
        shown: how many differing samples of each task to quote at most.

    Raises:
        InvalidRecordError: a record or a line of samples cannot be read.
    """
    set_ups = compare_set_ups(a, b)
    samples = [pair_samples(a, b, task, shown=shown) for task in sorted({*a.tasks(), *b.tasks()})]
    comparability = compare_tasks(a, b, set_ups.tasks, samples)
    if a.identity == b.identity:
        # Whatever it did not save: no run can have measured anything else than it did itself.
        comparability = Comparability(status="comparable", reason=SAME, tasks=list(map(_same, comparability.tasks)))
    scores = compare_scores(a.results, b.results)
    verdict, reason = judge(
        same_bundle=a.identity == b.identity,
        with_results=has_results(a) + has_results(b),
        comparability=comparability,
        set_up=set_ups.whole,
        scores=scores,
        samples=samples,
    )
    return Difference(
        a=_compared(a),
        b=_compared(b),
        verdict=verdict,
        reason=reason,
        comparability=comparability,
        setup=list(set_ups.whole.changes),
        ignored=list(set_ups.whole.ignored),
        not_compared=list(set_ups.whole.not_compared),
        scores=scores,
        samples=samples,
    )


def _same(task: TaskComparability) -> TaskComparability:
    return replace(task, status="comparable", reason=SAME)


def _compared(side: Side) -> Compared:
    return Compared(bundle_id=side.info.bundle_id, identity=side.identity, has_results=has_results(side))
