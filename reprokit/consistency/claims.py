"""What the harness says of its samples against itself, and against the samples.

Whether a task has as many samples as claimed for each filter is told when the harness's files are read (`W304`).
"""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.values import Json
from reprokit.consistency.definitions import Tallies, of, tally_of


def findings(results: Results, tallies: Tallies) -> Iterator[Finding]:
    """Tell what cannot all be true."""
    tasks = {task.name: task for task in results.tasks}
    for metric in results.metrics:
        if not metric.group and metric.task in tasks:
            yield from _about_metric(metric, tasks[metric.task], results, tallies)
    for task in results.tasks:
        yield from _about_task(task, tallies)


def _about_metric(metric: Metric, task: Task, results: Results, tallies: Tallies) -> Iterator[Finding]:
    """Compare the number of samples a score is over with the samples, and with those that have a mark."""
    tally = tally_of(results, metric, tallies)
    moments = tally.scores.get(metric.metric) if tally is not None else None
    if tally is None or moments is None or metric.n is None or metric.n == task.samples_claimed:
        return
    marked = moments.count + moments.unusable
    if metric.n not in {tally.samples, marked, moments.count}:
        detail = f"{of(metric)}: {metric.n} samples are claimed, {marked} of {tally.samples} saved ones have a mark"
        yield finding("W325", metric.task, detail)


def _about_task(task: Task, tallies: Tallies) -> Iterator[Finding]:
    claimed, available = task.samples_claimed, task.samples_available
    if available is not None:
        seen = max((tally.keys.distinct for (name, _), tally in tallies.items() if name == task.name), default=0)
        if claimed is not None and claimed > available:
            yield finding("W325", task.name, f"{claimed} samples are claimed of a dataset that has {available}")
        if seen > available:
            yield finding("W325", task.name, f"{seen} different samples were saved of a dataset that has {available}")
    config: Json = task.config
    asked = config.get("num_fewshot") if isinstance(config, dict) else None
    if type(asked) is int and asked > 0 and task.n_shot is not None and asked != task.n_shot:
        detail = f"its definition asks for {asked} worked examples in a prompt, its results name {task.n_shot}"
        yield finding("W325", task.name, detail)
