"""Scores recomputed from samples: the mean and its standard error.

A score may be anything: a perplexity, a corpus BLEU, a function of the task's own. So the mean is claimed only where
the task's definition says `aggregation: mean`, and for a program of the user's own only for marks of 0 and 1 under a
name that means their share. Nothing is said either when the samples are not all there, or a mark is no number.

lm-eval 0.4.13 and lmms-eval 0.7.3 compute alike, both in their `api/metrics.py`: `mean(arr) = sum(arr) / len(arr)`, and
for it `mean_stderr(arr) = sample_stddev(arr) / sqrt(len(arr))`, where `sample_stddev(arr)` is the root of
`sum((x - mean) ** 2) / (len(arr) - 1)`; from two samples on, unless `bootstrap_iters` is 0. The `clt` error of
lmms-eval is the same number (`numpy.std(ddof=1) / sqrt(n)`). For other aggregations they resample, which cannot be
repeated exactly.
"""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.values import as_number
from reprokit.consistency.definitions import Tallies, aggregation, is_defined, of, tally_of
from reprokit.consistency.moments import Moments, agree
from reprokit.consistency.tally import Tally

_SHARES = frozenset({"acc", "accuracy", "correct", "em", "exact_match", "passed"})
_SAME_FORMULA = ("clt",)


def findings(results: Results, tallies: Tallies) -> Iterator[Finding]:
    """Compare every score of a task with the marks of its samples."""
    tasks = {task.name: task for task in results.tasks}
    for metric in results.metrics:
        tally = None if metric.group else tally_of(results, metric, tallies)
        moments = tally.scores.get(metric.metric) if tally is not None else None
        task = tasks.get(metric.task)
        if task is None or tally is None or moments is None or not _all_there(metric, task, tally, moments):
            continue
        if is_defined(task):
            if aggregation(task, metric.metric) == "mean":
                yield from _of_mean(metric, moments)
        elif metric.metric in _SHARES and moments.only_marks and moments.count == tally.samples:
            yield from _of_share(metric, moments)


def _all_there(metric: Metric, task: Task, tally: Tally, moments: Moments) -> bool:
    """Tell whether a score can be recomputed: every sample once, as many as were claimed, every mark a number.

    A program of one's own may claim no number; then the saved samples are all there are.
    """
    claimed = metric.n if metric.n is not None else task.samples_claimed
    whole = claimed == tally.samples or (claimed is None and not is_defined(task))
    return whole and not tally.keys.repeated and not moments.unusable and moments.count > 0


def _of_mean(metric: Metric, moments: Moments) -> Iterator[Finding]:
    value, computed = as_number(metric.value), moments.standard_error()
    if value is not None and not agree(value, moments.mean, moments.largest):
        yield _not_the_mean(metric, value, moments)
        return
    if value is None or computed is None:
        return
    others = {name: metric.other_stderr.get(name) for name in _SAME_FORMULA}
    for name, score in {"": metric.stderr, **others}.items():
        reported = as_number(score)
        if reported is None or agree(reported, computed, moments.largest):
            continue
        kind = f" ({name})" if name else ""
        detail = f"{of(metric)}: {reported:.12g}{kind} is reported, the {moments.count} samples give {computed:.12g}"
        yield finding("W319", metric.task, detail)


def _of_share(metric: Metric, moments: Moments) -> Iterator[Finding]:
    """Compare a share with its marks; people write it rounded, and in per cent."""
    value = as_number(metric.value)
    if value is None:
        return
    allowed = _half_of_last_digit(value)
    if abs(value - moments.mean) > allowed and abs(value - 100 * moments.mean) > allowed:
        yield _not_the_mean(metric, value, moments)


def _half_of_last_digit(value: float) -> float:
    """Tell how far rounding to the digits that a number is written with can have moved it."""
    digits = repr(value).partition(".")[2]
    if not digits.isdecimal() or int(digits) == 0:
        # 0 and 1 are exact far more often than they are rounded; a whole number of per cent is not.
        return 0.5 if abs(value) > 1 else 1e-6
    return 0.5 * 10.0 ** -len(digits) + 1e-9


def _not_the_mean(metric: Metric, value: float, moments: Moments) -> Finding:
    detail = f"{of(metric)}: {value:.12g} is reported, the mean of {moments.count} samples is {moments.mean:.12g}"
    return finding("W318", metric.task, detail)
