"""The table of metrics that lm-eval writes, and lmms-eval after it, in long form.

A key is `<metric>,<filter>`, `<metric>_stderr,<filter>` or `<metric>_stderr_<way>,<filter>`; among them stand members
that are no metrics. Every key of the table ends up in exactly one place: a metric's value, one of its standard errors,
or `details`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.results import Metric
from reprokit.bundle.values import Json, NotScored, Score, as_score

NO_METRICS = frozenset({"alias", "name", "sample_len", "sample_count"})
BLANK = " "
"""The key that lmms-eval gives a group without metrics, so that its printed table has a row for it; it says nothing."""

STRUCTURE = NotScored(not_scored="a structure")
BYPASS = NotScored(not_scored="bypass")
_NUMBERS_AS_TEXT = frozenset({"n/a", "nan", "inf", "-inf", "infinity", "-infinity"})


@dataclass(frozen=True, kw_only=True)
class About:
    """What the other tables of a results file say about one task or group."""

    n: int | None = None
    n_shot: int | None = None
    version: str | None = None
    group: bool = False
    higher_is_better: Mapping[str, Json] = field(default_factory=dict)
    sample_counts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TaskMetrics:
    """One task's metrics, what stood among them and is none, and the metrics that were not computed."""

    metrics: list[Metric] = field(default_factory=list)
    details: dict[str, Json] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def task_metrics(task: str, row: dict[str, Json], about: About) -> TaskMetrics:
    """Turn one task's row of the table into metrics, in the order of the row."""
    read = TaskMetrics()
    errors = {key: target for key in row if (target := _error_of(key, row))}
    for key, value in row.items():
        if key in errors or (key == BLANK and value == BLANK):
            continue
        if _is_detail(key, value):
            read.details[key] = value
            continue
        metric = _metric(task, key, value, about)
        stderr, others = _standard_errors(key, row, errors)
        read.metrics.append(replace(metric, stderr=stderr, other_stderr=others))
        if isinstance(metric.value, NotScored) and not _was_computed(metric.value):
            read.findings.append(finding("W308", task, f"`{key}` is `{metric.value.not_scored}`"))
    return read


def mark(value: Json) -> Score:
    """Turn a value that went through `as_json` into a score; a structure becomes the reason that it is none."""
    if isinstance(value, dict) and not is_table(value):
        return NotScored(not_scored=value["not_scored"])
    score = as_score(value)
    return STRUCTURE if score is None else score


def split_key(key: str) -> tuple[str, str | None]:
    """Split `acc,none` into the metric and the filter; without a comma there is no filter."""
    metric, comma, extraction = key.partition(",")
    return metric, extraction if comma else None


def _error_of(key: str, row: dict[str, Json]) -> tuple[str, str] | None:
    """Name the key that this one is a standard error of, and the way it was computed (empty for the usual one)."""
    metric, extraction = split_key(key)
    before, found, way = metric.rpartition("_stderr")
    if not found or (way and not way.startswith("_")):
        return None
    value_key = before if extraction is None else f"{before},{extraction}"
    if value_key not in row or _is_detail(value_key, row[value_key]) or _error_of(value_key, row):
        return None
    return value_key, way.removeprefix("_")


def _is_detail(key: str, value: Json) -> bool:
    if key in NO_METRICS:
        return True
    return "," not in key and isinstance(value, str) and value.lower() not in _NUMBERS_AS_TEXT


def _metric(task: str, key: str, value: Json, about: About) -> Metric:
    name, extraction = split_key(key)
    score = BYPASS if name == "bypass" else mark(value)
    better = about.higher_is_better.get(name)
    counted = about.sample_counts.get(key)
    return Metric(
        task=task,
        metric=name,
        filter=extraction,
        value=score,
        n=counted if is_count(counted) else about.n,
        higher_is_better=better if isinstance(better, bool) else None,
        n_shot=about.n_shot,
        task_version=about.version,
        group=about.group,
        extra=value if score in {STRUCTURE, BYPASS} else None,
    )


def _standard_errors(
    key: str, row: dict[str, Json], errors: dict[str, tuple[str, str]]
) -> tuple[float | NotScored | None, dict[str, Score]]:
    stderr: float | NotScored | None = None
    others: dict[str, Score] = {}
    for error_key, (value_key, way) in errors.items():
        if value_key != key:
            continue
        score = mark(row[error_key])
        if way:
            others[way] = score
        else:
            stderr = score if isinstance(score, NotScored) else float(score)
    return stderr, others


def _was_computed(value: NotScored) -> bool:
    return value == STRUCTURE or value.not_scored.lower().lstrip("-") in {"inf", "infinity"}


def is_table(value: Json) -> bool:
    """Tell whether a value that went through `as_json` is a table, and not a number such as `NaN`."""
    return isinstance(value, dict) and not (set(value) == {"not_scored"} and isinstance(value["not_scored"], str))


def is_count(value: Json) -> bool:
    """Tell whether a value counts something: a whole number, not negative."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
