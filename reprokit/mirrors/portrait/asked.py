"""What was asked of a harness that people tell runs apart by, as far as its own words say."""

from __future__ import annotations

import re

from reprokit.bundle.record import Record
from reprokit.bundle.results import Results
from reprokit.bundle.values import Json, Unknown

_SEED = re.compile(r"(?:(?P<of>\w+)_)?seed")


def harness_config(record: Record) -> dict[str, Json]:
    """Give what the harness says it was set to; nothing when it does not say."""
    config = record.harness.claims.get("config")
    return config if isinstance(config, dict) else {}


def shots(results: Results) -> int | Unknown:
    """Tell how many worked examples the prompts of every task hold."""
    numbers = {task.n_shot for task in results.tasks}
    numbers |= {metric.n_shot for metric in results.metrics if not metric.group}
    if len(numbers) > 1:
        return Unknown(unknown="it is not the same for all tasks: see `task_configs`")
    number = numbers.pop() if numbers else None
    return Unknown(unknown="the harness does not say") if number is None else number


def limit(record: Record) -> int | float | Unknown | None:
    """Tell to how many samples (below 1: to what part) each task was limited; `None` when it was not."""
    config = harness_config(record)
    value = config.get("limit", ())
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    return Unknown(unknown="the harness does not say")


def seeds(record: Record) -> dict[str, Json] | Unknown:
    """Give the seeds that the harness says it set, by what they are of: `random`, `torch`, …; one alone is `all`."""
    config = harness_config(record)
    found = {match["of"] or "all": value for key, value in config.items() if (match := _SEED.fullmatch(key))}
    return found or Unknown(unknown="the harness does not say")
