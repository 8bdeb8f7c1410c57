"""The tables of results: one row for every metric of a task, and another table for those of groups."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from reprokit.bundle.results import Metric, Results
from reprokit.bundle.values import NotScored
from reprokit.mirrors.portrait.brevity import cut
from reprokit.mirrors.portrait.keys import short_name
from reprokit.mirrors.portrait.plain import text
from reprokit.mirrors.portrait.table import Cell, Table, of_one_type

TASKS = "results/tasks"
GROUPS = "results/groups"
MOST_RESULTS = 10_000
"""Rows of a table of results: what trackers show of one without leaving rows out."""

_COLUMNS = ("task", "version", "n_shot", "filter", "metric", "value", "stderr", "n", "higher_is_better", "remark")
_GROUP_COLUMNS = ("group", *_COLUMNS[1:], "tasks")
_LONGEST_REMARK = 1000


def results_tables(results: Results) -> list[Table]:
    """Make the table of the tasks' metrics and that of the groups'; one without rows is left out."""
    tasks = [metric for metric in results.metrics if not metric.group]
    groups = [metric for metric in results.metrics if metric.group]
    members = {name: cut(text(", ".join(each)), _LONGEST_REMARK) for name, each in results.groups.items()}
    tables = [
        _table(TASKS, _COLUMNS, tasks, [_row(metric) for metric in tasks[:MOST_RESULTS]]),
        _table(
            GROUPS,
            _GROUP_COLUMNS,
            groups,
            [(*_row(metric), members.get(metric.task)) for metric in groups[:MOST_RESULTS]],
        ),
    ]
    return [table for table in tables if table.rows]


def _table(key: str, columns: tuple[str, ...], metrics: Sequence[Metric], rows: list[tuple[Cell, ...]]) -> Table:
    there = len(metrics)
    remarks = (f"`{key}`: {len(rows)} of {there} rows",) if there > len(rows) else ()
    return Table(key=key, columns=columns, rows=of_one_type(rows, len(columns)), there=there, remarks=remarks)


def _row(metric: Metric) -> tuple[Cell, ...]:
    return (
        _named(metric.task),
        None if metric.task_version is None else _named(metric.task_version),
        metric.n_shot,
        None if metric.filter is None else _named(metric.filter),
        _named(metric.metric),
        _number(metric.value),
        _number(metric.stderr),
        metric.n,
        metric.higher_is_better,
        cut(text("; ".join(_remarks(metric))), _LONGEST_REMARK) or None,
    )


def _named(name: str) -> str:
    # Cut without a digest, two tasks whose names begin alike would be one.
    return short_name(name)


def _number(score: object) -> bool | int | float | None:
    if isinstance(score, float):
        return score if math.isfinite(score) else None
    return score if isinstance(score, bool | int) else None


def _remarks(metric: Metric) -> Iterator[str]:
    if isinstance(metric.value, bool):
        # Among numbers it is shown as one.
        yield "boolean"
    if isinstance(metric.value, NotScored):
        yield f"not scored: {metric.value.not_scored}"
    if isinstance(metric.stderr, NotScored):
        yield f"no standard error: {metric.stderr.not_scored}"
