"""What a task's definition, as its harness wrote it, says about its metrics."""

from __future__ import annotations

from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.values import Json
from reprokit.consistency.tally import Tally

Tallies = dict[tuple[str, str | None], Tally]


def aggregation(task: Task, metric: str) -> str | None:
    """Name how a metric is computed from its marks, when the definition says so once and plainly."""
    config: Json = task.config
    listed = config.get("metric_list") if isinstance(config, dict) else None
    if not isinstance(listed, list):
        return None
    said = [entry.get("aggregation") for entry in listed if isinstance(entry, dict) and entry.get("metric") == metric]
    return said[0] if len(said) == 1 and isinstance(said[0], str) else None


def asks_for_likelihoods(task: Task) -> bool:
    """Tell whether a task's responses are log-likelihoods alone."""
    config: Json = task.config
    kind = config.get("output_type") if isinstance(config, dict) else None
    return isinstance(kind, str) and kind.startswith("loglikelihood")


def is_defined(task: Task) -> bool:
    """Tell whether there is a definition: a program of the user's own has none."""
    return task.config is not None


def tally_of(results: Results, metric: Metric, tallies: Tallies) -> Tally | None:
    """Find the samples that a metric is over.

    Where the samples do not name their filter, they belong to the task's only one; of several nobody knows which.
    """
    named = tallies.get((metric.task, metric.filter))
    if named is not None or metric.filter is None:
        return named
    filters = {each.filter for each in results.metrics if each.task == metric.task}
    others = {extraction for task, extraction in tallies if task == metric.task}
    return tallies[metric.task, None] if others == {None} and filters - {None} == {metric.filter} else None


def of(metric: Metric) -> str:
    """Name a metric in a message."""
    return f"`{metric.metric}`" + (f" of filter `{metric.filter}`" if metric.filter is not None else "")
