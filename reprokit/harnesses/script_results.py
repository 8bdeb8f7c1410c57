"""The results file of a script, as people write it by hand.

Any of these, in JSON (`NaN` is accepted):

    {"accuracy": 0.5, "accuracy_stderr": 0.1}                    one task, called like the file, or `script`
    {"toy": {"accuracy": 0.5, "n": 10}, "other": {"f1": 0.4}}     a table for each task
    {"results": <one of the two, or a list of rows>, "model": …}  with something said about the run
    [{"task": "toy", "metric": "accuracy", "value": 0.5, "stderr": 0.1, "n": 10}]

A file called `results.json`, `metrics.json` or `scores.json` gives its one task the name `script`. A metric may be a
table itself, `{"value": 0.5, "stderr": 0.1, "n": 10}`. A key may name a filter after a comma, `accuracy,strict`. Rows
may also hold `filter`, `higher_is_better`, `n_shot` and `version`; whatever else stands in one is kept as a claim. In a
table, `n` is the number of samples and `accuracy_stderr` the standard error of `accuracy`; text is kept as a claim, any
other value is a metric.

About the run: `model` and `datasets` are names, or tables with `name` and `revision` (a list of them for several
datasets); `started` is a time with its zone, or seconds since 1970; `n` is the number of samples, or one for each
task. These four keys are never metrics. All of them, and whatever else stands beside `results`, are kept as claims.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePath

from reprokit import clock
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import SubjectPart
from reprokit.bundle.results import Metric
from reprokit.bundle.values import Json, Unknown, as_json, full_commit
from reprokit.harnesses.loose_json import DamagedError, decode
from reprokit.harnesses.metric_table import About, is_count, is_table, task_metrics

ABOUT_THE_RUN = ("model", "datasets", "started", "n")
_NAMELESS = frozenset({"results", "metrics", "scores"})
_ROW = frozenset({"task", "metric", "value", "filter", "stderr", "n", "higher_is_better", "n_shot", "version"})


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a script's results file says; `counts` is the claimed number of samples by task."""

    metrics: list[Metric] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    models: list[SubjectPart] = field(default_factory=list)
    datasets: list[SubjectPart] = field(default_factory=list)
    started: str | None = None
    claims: dict[str, Json] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    whole: bool = True

    def default_task(self, path: PurePath) -> str:
        """Name the task of samples that do not name it: the only one there is, else one called like their file."""
        return self.tasks[0] if len(self.tasks) == 1 else _task_of_file(path)


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """Some metrics of one task: a table of them, what is said about them, and what else stood there."""

    task: str
    table: dict[str, Json]
    about: dict[str, Json]
    rest: dict[str, Json] = field(default_factory=dict)


def nothing_said(reason: Finding) -> Said:
    """Stand in for results that are not there."""
    return Said(findings=[reason], whole=False)


def read_results(path: Path, where: str) -> Said:
    """Read a results file; `where` is what findings call it."""
    try:
        decoded = decode(path.read_bytes())
    except OSError as error:
        return nothing_said(finding("W302", where, f"cannot be opened: {error.strerror}"))
    except DamagedError as error:
        return nothing_said(finding("W302", where, str(error)))
    if not isinstance(decoded.value, dict | list):
        return nothing_said(finding("W302", where, "neither a JSON object nor a list"))
    body, about = _parts(decoded.value)
    said = Said(
        claims=dict(about),
        models=_subjects(about.get("model")),
        datasets=_subjects(about.get("datasets")),
        started=_moment(about.get("started")),
        whole=not decoded.mended,
    )
    if decoded.mended:
        said.findings.append(finding("W302", where, "not valid UTF-8; U+FFFD stands for the bytes"))
    details: dict[str, Json] = {}
    for number, entry in enumerate(_entries(body, _task_of_file(path)), start=1):
        if entry is None:
            said.findings.append(finding("W302", where, f"row {number}: no `metric` and `value`"))
        else:
            _add(said, details, entry, about.get("n"))
    if details:
        said.claims["results"] = details
    return said


def _parts(document: Json) -> tuple[Json, dict[str, Json]]:
    """Split a results file into metrics and what is said about the run."""
    if isinstance(document, list):
        return document, {}
    if isinstance(document.get("results"), list) or is_table(document.get("results")):
        return document["results"], {key: value for key, value in document.items() if key != "results"}
    about = {key: document[key] for key in ABOUT_THE_RUN if key in document}
    return {key: value for key, value in document.items() if key not in about}, about


def _entries(body: Json, task: str) -> Iterator[_Entry | None]:
    """Bring every form to entries, one for a row or a table; `None` stands for a row that names no metric."""
    if isinstance(body, list):
        for row in body:
            yield _of_row(row, task)
        return
    several = bool(body) and all(is_table(value) and "value" not in value for value in body.values())
    for name, metrics in body.items() if several else [(task, body)]:
        detailed = {key: value for key, value in metrics.items() if isinstance(value, dict) and "value" in value}
        table = {key: value for key, value in metrics.items() if key not in detailed}
        n = table.pop("n") if is_count(table.get("n")) else None
        yield _Entry(task=name, table=table, about={"n": n})
        for metric, row in detailed.items():
            yield _of_row({"n": n, **row, "task": name, "metric": metric}, name)


def _of_row(row: Json, task: str) -> _Entry | None:
    """Write a row as a table with one metric; what else it holds stays beside it."""
    if not isinstance(row, dict) or "value" not in row or not isinstance(row.get("metric"), str):
        return None
    named = row.get("task", task)
    if not isinstance(named, str):
        return None
    metric = row["metric"]
    ending = f",{row['filter']}" if isinstance(row.get("filter"), str) else ""
    table = {metric + ending: row["value"]}
    if row.get("stderr") is not None:
        table[f"{metric}_stderr{ending}"] = row["stderr"]
    rest = {key: value for key, value in row.items() if key not in _ROW}
    return _Entry(task=named, table=table, about=row, rest={metric: rest} if rest else {})


def _add(said: Said, details: dict[str, Json], entry: _Entry, n: Json) -> None:
    general = n.get(entry.task) if isinstance(n, dict) else n
    own = entry.about.get("n")
    claimed = own if is_count(own) else general if is_count(general) else None
    n_shot, version = entry.about.get("n_shot"), entry.about.get("version")
    about = About(
        n=claimed,
        n_shot=n_shot if is_count(n_shot) else None,
        version=None if version is None else str(version),
        higher_is_better={str(entry.about.get("metric")): entry.about.get("higher_is_better")},
    )
    found = task_metrics(entry.task, entry.table, about)
    said.metrics.extend(found.metrics)
    said.findings.extend(found.findings)
    if entry.task not in said.tasks:
        said.tasks.append(entry.task)
    if claimed is not None:
        said.counts.setdefault(entry.task, claimed)
    if found.details or entry.rest:
        details.setdefault(entry.task, {}).update(found.details | entry.rest)


def _task_of_file(path: PurePath) -> str:
    return "script" if path.stem in _NAMELESS else str(as_json(path.stem))


def _subjects(said: Json) -> list[SubjectPart]:
    parts: list[SubjectPart] = []
    for part in said if isinstance(said, list) else [said]:
        table = part if isinstance(part, dict) else {"name": part}
        if isinstance(table.get("name"), str) and table["name"]:
            extra = {key: value for key, value in table.items() if key != "name"}
            revision = _revision(table.get("revision"))
            parts.append(SubjectPart(name=table["name"], revision=revision, learnt_from="claim", extra=extra))
    return parts


def _revision(said: Json) -> str | Unknown:
    if said is None:
        return Unknown(unknown="none was given")
    return full_commit(said) or Unknown(unknown=f"the results say `{said}`, which is no full commit")


def _moment(said: Json) -> str | None:
    try:
        if isinstance(said, int | float) and not isinstance(said, bool):
            return clock.from_epoch(said)
        moment = datetime.fromisoformat(said) if isinstance(said, str) else None
        return clock.text(moment) if moment is not None and moment.tzinfo is not None else None
    except (ValueError, OverflowError, OSError):
        return None
