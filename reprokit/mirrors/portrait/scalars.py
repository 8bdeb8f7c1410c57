"""The metrics as numbers by name, and what is said of them that is no number.

A number is called `task/metric`, and its standard error `task/metric_stderr`, each part written as `keys.part` does.
The filter follows after a comma, `gsm8k/exact_match,strict-match`, when that metric of that task comes with several: so
do the harnesses' own loggers, and runs that were logged by these stand in one panel with ours. A group's numbers
stand together, under `groups/<group>/`, so that nobody takes one for a task's. True is logged as 1 and false as 0; the
remark in the table of results says which of them were `boolean`.

The summary holds `task/n`, how many samples the task's metrics are over (`task/metric_n` where that differs between
them), standard errors that were computed in other ways (`task/metric_stderr_clustered`), for which nobody wants a curve
of its own, and why a metric has no number: `not scored: nan`. Why there is no standard error is told in the table of
results. No two names are equal: should two come to be, the later one gets a number, and a remark says so.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from reprokit.bundle.results import Metric
from reprokit.bundle.values import Json, NotScored, Score, not_finite
from reprokit.mirrors.portrait.brevity import cut
from reprokit.mirrors.portrait.keys import distinct, part
from reprokit.mirrors.portrait.plain import LARGEST_WHOLE, dumps, plain, text

GROUPS = "groups"
_LONGEST_REASON = 300


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Numbers and what is no number, by names of which no two are equal in both together."""

    scalars: dict[str, int | float] = field(default_factory=dict)
    summary: dict[str, Json] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def measure(metrics: Sequence[Metric], *, taken: Collection[str] = ()) -> Measured:
    """Name all that was measured; `taken` are names that stand for something else."""
    measured, used = Measured(), set(taken)
    several = _with_several_filters(metrics)
    # Scores come first, so that no standard error or count takes the name of one.
    for metric in metrics:
        name = _name(metric, "", several)
        _put(measured, used, name, metric.value, _reason(metric))
    for metric in metrics:
        if metric.stderr is not None and not isinstance(metric.stderr, NotScored):
            _put(measured, used, _name(metric, "_stderr", several), metric.stderr, "")
        for way, error in sorted(metric.other_stderr.items()):
            if not isinstance(error, NotScored):
                measured.summary[_free(measured, used, _name(metric, f"_stderr_{part(way)}", several))] = plain(error)
    for name, count in _counts(metrics, several):
        measured.summary[_free(measured, used, name)] = count
    return measured


def _with_several_filters(metrics: Sequence[Metric]) -> set[tuple[bool, str, str]]:
    filters: dict[tuple[bool, str, str], set[str | None]] = {}
    for metric in metrics:
        filters.setdefault((metric.group, metric.task, metric.metric), set()).add(metric.filter)
    return {of for of, names in filters.items() if len(names) > 1}


def _section(metric: Metric) -> str:
    return f"{GROUPS}/{part(metric.task)}" if metric.group else part(metric.task)


def _name(metric: Metric, suffix: str, several: set[tuple[bool, str, str]]) -> str:
    told = metric.filter is not None and (metric.group, metric.task, metric.metric) in several
    extraction = f",{part(metric.filter)}" if told and metric.filter is not None else ""
    return f"{_section(metric)}/{part(metric.metric)}{suffix}{extraction}"


def _free(measured: Measured, used: set[str], name: str) -> str:
    free = distinct(name, used)
    if free != name:
        measured.remarks.append(f"`{free}`: its name is `{name}`, which something else has")
    used.add(free)
    return free


def _put(measured: Measured, used: set[str], name: str, value: Score, reason: str) -> None:
    name = _free(measured, used, name)
    if isinstance(value, NotScored):
        measured.summary[name] = reason
    elif isinstance(value, float) and not math.isfinite(value):
        measured.summary[name] = f"not scored: {not_finite(value).not_scored}"
    elif isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        measured.summary[name] = plain(int(value))
    else:
        measured.scalars[name] = int(value) if isinstance(value, bool) else value


def _reason(metric: Metric) -> str:
    if not isinstance(metric.value, NotScored):
        return ""
    structure = "" if metric.extra is None else f" {dumps(plain(metric.extra, metric.metric))}"
    return cut(f"not scored: {text(metric.value.not_scored)}{structure}", _LONGEST_REASON)


def _counts(metrics: Sequence[Metric], several: set[tuple[bool, str, str]]) -> Iterator[tuple[str, int]]:
    by_section: dict[str, list[Metric]] = {}
    for metric in metrics:
        if metric.n is not None:
            by_section.setdefault(_section(metric), []).append(metric)
    for section, counted in by_section.items():
        numbers = {metric.n for metric in counted}
        if len(numbers) == 1:
            yield f"{section}/n", numbers.pop() or 0
        else:
            yield from ((_name(metric, "_n", several), metric.n or 0) for metric in counted)
