"""The one score of each task that people quote.

It is the first that the harness lists, with the first of its filters, among the numbers of which it is known whether
higher is better. Where that is known of none, it is the first of the names that are quoted everywhere, in the
order of `QUOTED`, and where there is none of these, the first number. `bypass` is what lm-eval writes when it scores
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reprokit.bundle.results import Metric
from reprokit.bundle.values import as_number

QUOTED = ("acc", "accuracy", "exact_match", "score", "acc_norm", "f1", "pass@1", "bleu", "rouge1", "word_perplexity")
_NO_SCORES = frozenset({"bypass"})


@dataclass(frozen=True, kw_only=True)
class Headline:
    """A task's or group's quoted score, with its standard error where one is known."""

    task: str
    metric: str
    filter: str | None
    value: float
    stderr: float | None
    n: int | None
    higher_is_better: bool | None
    group: bool


def headlines(metrics: Iterable[Metric]) -> list[Headline]:
    """Choose a score for each group and each task that has one: groups first, else in the order of the results."""
    by_task: dict[tuple[bool, str], list[Metric]] = {}
    for metric in metrics:
        by_task.setdefault((not metric.group, metric.task), []).append(metric)
    chosen = [_headline(_quoted(rows)) for _, rows in sorted(by_task.items(), key=lambda item: item[0][0])]
    return [each for each in chosen if each is not None]


def _quoted(metrics: Sequence[Metric]) -> Metric | None:
    scored = [each for each in metrics if as_number(each.value) is not None and each.metric not in _NO_SCORES]
    directed = [each for each in scored if each.higher_is_better is not None]
    famous = sorted((each for each in scored if each.metric in QUOTED), key=lambda each: QUOTED.index(each.metric))
    return next(iter(directed or famous or scored), None)


def _headline(metric: Metric | None) -> Headline | None:
    value = None if metric is None else as_number(metric.value)
    if metric is None or value is None:
        return None
    return Headline(
        task=metric.task,
        metric=metric.metric,
        filter=metric.filter,
        value=value,
        stderr=as_number(metric.stderr),
        n=metric.n,
        higher_is_better=metric.higher_is_better,
        group=metric.group,
    )
