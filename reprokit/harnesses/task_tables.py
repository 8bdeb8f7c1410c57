"""The tables of tasks in a results file of lm-eval, and of lmms-eval after it: tasks, groups, metrics, datasets."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reprokit.bundle.canonical import line
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import SubjectPart
from reprokit.bundle.results import Metric, Task
from reprokit.bundle.values import Json, Unknown, full_commit
from reprokit.harnesses.metric_table import About, is_count, is_table, task_metrics

INTO_RECORDS = frozenset({"results", "groups", "group_subtasks", "configs", "samples"})
"""Top-level members that become metrics, tasks and groups; all the others are the harness's claims."""

_DATASET = ("dataset_path", "dataset_name", "dataset_kwargs")
_SPLITS = ("training_split", "validation_split", "test_split", "fewshot_split")
_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-fA-F]+>")


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What the tables say, in our terms."""

    metrics: list[Metric] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    details: dict[str, Json] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def read_tables(document: dict[str, Json], known: Iterable[str]) -> Tables:
    """Read the tables of a results file.

    Args:
        document: the whole file.
        known: tasks that are known from elsewhere, such as from the names of sample files.
    """
    groups = {
        group: [member for member in members if isinstance(member, str)]
        for group, members in table(document, "group_subtasks").items()
        if isinstance(members, list) and members
    }
    read = Tables(groups=groups)
    rows = _rows(document)
    for name, row in rows.items():
        if not isinstance(row, dict):
            read.details[name] = row
            continue
        found = task_metrics(name, row, _about(document, name, row, group=_is_group(document, groups, name)))
        read.metrics.extend(found.metrics)
        read.findings.extend(found.findings)
        if not found.metrics and not _is_group(document, groups, name):
            read.findings.append(finding("W308", name, "there is none at all"))
        if found.details:
            read.details[name] = found.details
    leaves = [name for name in (*rows, *table(document, "configs"), *known) if not _is_group(document, groups, name)]
    for name in dict.fromkeys(leaves):
        read.tasks.append(_task(document, name))
        read.findings.extend(_about_task(document, name))
    return read


def table(document: dict[str, Json], name: str) -> dict[str, Json]:
    """Return a member that should be a table; an empty one when it is not."""
    value = document.get(name)
    return value if isinstance(value, dict) and is_table(value) else {}


def claims(document: dict[str, Json], details: dict[str, Json]) -> dict[str, Json]:
    """Collect what the harness says of itself and the run; `results` keeps what stood among the metrics and is none."""
    said = {key: value for key, value in document.items() if key not in INTO_RECORDS}
    return {**said, "results": details} if details else said


def datasets(document: dict[str, Json]) -> list[SubjectPart]:
    """List the datasets that the tasks' configurations name, one for each path, configuration and set of arguments."""
    using: dict[bytes, list[str]] = {}
    asked: dict[bytes, dict[str, Json]] = {}
    for task, config in table(document, "configs").items():
        if not isinstance(config, dict) or not isinstance(config.get("dataset_path"), str):
            continue
        key = line([config.get(name) for name in _DATASET])
        using.setdefault(key, []).append(task)
        asked.setdefault(key, config)
    return [_dataset(config, using[key]) for key, config in asked.items()]


def filters_of(metrics: Iterable[Metric], task: str) -> list[str | None]:
    """List the filters that a task's metrics were computed with, in order; those without one count for none."""
    return list(dict.fromkeys(metric.filter for metric in metrics if metric.task == task and metric.filter is not None))


def _rows(document: dict[str, Json]) -> dict[str, Json]:
    """Join `groups`, which repeats some rows of `results`, with `results`, which wins."""
    rows = dict(table(document, "results"))
    for group, row in table(document, "groups").items():
        if isinstance(row, dict) and isinstance(rows.get(group, {}), dict):
            rows[group] = {**row, **rows.get(group, {})}
        else:
            rows.setdefault(group, row)
    return rows


def _is_group(document: dict[str, Json], groups: dict[str, list[str]], name: str) -> bool:
    return name not in table(document, "configs") and (name in groups or name in table(document, "groups"))


def _about(document: dict[str, Json], name: str, row: dict[str, Json], *, group: bool) -> About:
    claimed = row.get("sample_len")
    effective = _counts(document, name)[1]
    return About(
        n=effective if effective is not None else claimed if is_count(claimed) else None,
        n_shot=_n_shot(document, name),
        version=_version(document, name),
        group=group,
        higher_is_better=table(table(document, "higher_is_better"), name),
        sample_counts=table(row, "sample_count"),
    )


def _task(document: dict[str, Json], name: str) -> Task:
    available, effective = _counts(document, name)
    return Task(
        name=name,
        version=_version(document, name),
        n_shot=_n_shot(document, name),
        samples_claimed=effective,
        samples_available=available,
        config=table(document, "configs").get(name),
    )


def _counts(document: dict[str, Json], name: str) -> tuple[int | None, int | None]:
    counts = table(table(document, "n-samples"), name)
    original, effective = counts.get("original"), counts.get("effective")
    return original if is_count(original) else None, effective if is_count(effective) else None


def _n_shot(document: dict[str, Json], name: str) -> int | None:
    shots = table(document, "n-shot").get(name)
    return shots if is_count(shots) else None


def _version(document: dict[str, Json], name: str) -> str | None:
    """Read a version: a number for a task, text for a group.

    Where a definition gives its metadata as a list, the harnesses write `Yaml`: the version stands in that list.
    """
    version = table(document, "versions").get(name)
    if version == "Yaml":
        metadata = table(table(document, "configs"), name).get("metadata")
        listed = metadata if isinstance(metadata, list) else []
        version = next((entry["version"] for entry in listed if is_table(entry) and "version" in entry), None)
    if version is None or version == "N/A" or isinstance(version, dict | list):
        return None
    return str(version)


def _about_task(document: dict[str, Json], name: str) -> Iterator[Finding]:
    available, effective = _counts(document, name)
    if available is not None and effective is not None:
        if effective < available:
            yield finding("W306", name, f"{effective} of {available} samples")
        limit = table(document, "config").get("limit")
        asked = math.ceil(available * limit) if isinstance(limit, float) and 0 < limit < 1 else effective
        if effective > asked:
            yield finding("W325", name, f"a `limit` of {limit} asks for {asked} samples, {effective} are claimed")
    lost = sorted(_nameless_code(table(document, "configs").get(name), ""))
    if lost:
        yield finding("W309", name, "of " + ", ".join(f"`{where}`" for where in lost) + " only an address was saved")


def _nameless_code(value: Json, where: str) -> Iterator[str]:
    match value:
        case str() if _ADDRESS.search(value):
            yield where
        case dict():
            for key, item in value.items():
                yield from _nameless_code(item, f"{where}.{key}" if where else key)
        case list():
            for index, item in enumerate(value):
                yield from _nameless_code(item, f"{where}.{index}")
        case _:
            return


def _dataset(config: dict[str, Json], tasks: list[str]) -> SubjectPart:
    given = table(config, "dataset_kwargs")
    extra: dict[str, Json] = {key: given[key] for key in ("data_files", "data_dir", "revision") if key in given}
    extra |= {key: config[key] for key in ("dataset_name", *_SPLITS) if config.get(key) is not None}
    return SubjectPart(
        name=config["dataset_path"], revision=_dataset_revision(given), learnt_from="claim", tasks=tasks, extra=extra
    )


def _dataset_revision(given: dict[str, Json]) -> str | Unknown:
    asked = given.get("revision")
    commit = full_commit(asked)
    if commit:
        return commit
    if "data_files" in given or "data_dir" in given:
        return Unknown(unknown="the task reads files of its own, which have no revision")
    if asked:
        return Unknown(unknown=f"the task asks for `{asked}`, which can move")
    return Unknown(unknown="the task pins no revision")
