"""The score of a group against the scores of its tasks.

lm-eval gives a group the mean of its tasks' scores, each weighted by its number of samples, or not, as the group's
definition says in `weight_by_size` (lm-eval 0.4.13: `Group.aggregate` in `lm_eval/api/group.py`, over
`aggregate_subtask_metrics(values, sizes, weight_by_size)` in `lm_eval/api/metrics.py`; lmms-eval 0.7.3 alike, in
`consolidate_group_results`). Which of the two, its results do not say: a score that is neither is told. Tasks that lack
the metric do not count. A group within the group stands for its tasks; other versions may have counted a task that
stands in two of them twice, or taken the inner group's score, so these pass too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.results import Metric, Results
from reprokit.bundle.values import as_number
from reprokit.consistency.definitions import Tallies, of, tally_of
from reprokit.consistency.moments import agree

_MOST = 100_000
_Rows = dict[tuple[str, str, str | None], Metric]


def findings(results: Results, tallies: Tallies) -> Iterator[Finding]:
    """Compare every score of a group with those of its tasks, where all of them are known."""
    rows: _Rows = {(each.task, each.metric, each.filter): each for each in results.metrics}
    for group in results.metrics:
        value = as_number(group.value) if group.group else None
        members = _members(group, results, rows) if value is not None else []
        if value is None or not _all_numbers(members):
            continue
        by_size = _weighted(members, results, tallies)
        if not by_size:
            continue
        alike = _mean(members, [1] * len(members))
        passing = [*by_size, alike, *_other_means(group, results, rows, tallies)]
        largest = max(abs(_value(member)) for member in members)
        if not any(agree(value, mean, largest) for mean in passing):
            detail = (
                f"{of(group)}: {value:.12g} is reported, the mean of its {len(members)} tasks is"
                f" {by_size[0]:.12g} weighted by size and {alike:.12g} unweighted"
            )
            yield finding("W320", group.task, detail)


def _members(group: Metric, results: Results, rows: _Rows) -> list[Metric]:
    """List the scores that a group's is the mean of; none when a task of the group is not in the results."""
    names = leaves(results.groups, group.task)
    if not set(names) <= {task.name for task in results.tasks}:
        return []
    return _rows_of(group, list(dict.fromkeys(names)), rows)


def _other_means(group: Metric, results: Results, rows: _Rows, tallies: Tallies) -> Iterator[float]:
    for names in (leaves(results.groups, group.task), results.groups.get(group.task, [])):
        members = _rows_of(group, names, rows)
        if _all_numbers(members):
            yield _mean(members, [1] * len(members))
            yield from _weighted(members, results, tallies)


def _rows_of(group: Metric, names: Sequence[str], rows: _Rows) -> list[Metric]:
    keys = ((name, group.metric, group.filter) for name in names)
    return [rows[key] for key in keys if key in rows]


def leaves(groups: dict[str, list[str]], group: str) -> list[str]:
    """List the tasks of a group and of the groups within it, one that is reached twice twice.

    Groups that name each other so often that they come to more than a hundred thousand tasks have none.
    """
    found: list[str] = []
    waiting = [(group, frozenset[str]())]
    while waiting:
        if len(waiting) + len(found) > _MOST:
            return []
        name, above = waiting.pop()
        if name in groups and name not in above:
            waiting.extend((member, above | {name}) for member in reversed(groups[name]))
        elif name not in groups:
            found.append(name)
    return found


def _weighted(members: Sequence[Metric], results: Results, tallies: Tallies) -> list[float]:
    """Weight by the claimed numbers of samples, and by the ones we saw, which lmms-eval can get wrong."""
    claimed = [member.n for member in members]
    seen = [tally_of(results, member, tallies) for member in members]
    means: list[float] = []
    for sizes in (claimed, [tally.samples if tally is not None else None for tally in seen]):
        known = [size for size in sizes if size is not None]
        if len(known) == len(members) and any(known):
            means.append(_mean(members, known))
    return means


def _mean(members: Sequence[Metric], sizes: Sequence[int]) -> float:
    return sum(_value(member) * size for member, size in zip(members, sizes, strict=True)) / sum(sizes)


def _all_numbers(members: Sequence[Metric]) -> bool:
    return bool(members) and all(as_number(member.value) is not None for member in members)


def _value(metric: Metric) -> float:
    """Return a score that is known to be a number."""
    return as_number(metric.value) or 0.0
