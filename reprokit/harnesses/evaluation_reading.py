"""Reading a run of lm-eval, or of lmms-eval, which writes the same tables: where they differ is a `Dialect`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Harness as HarnessRecord
from reprokit.bundle.record import Subject
from reprokit.bundle.results import Results
from reprokit.bundle.values import Json, Unknown
from reprokit.harnesses.found_files import where
from reprokit.harnesses.interface import FoundRun, Reading
from reprokit.harnesses.loose_json import DamagedError, decode, load
from reprokit.harnesses.model_names import models, short
from reprokit.harnesses.sampled_tasks import join
from reprokit.harnesses.task_tables import claims, datasets, read_tables, table

_BEGINNING = b'{"results":'


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """What one of the two harnesses does in its own way.

    `model_keys` are the model arguments that name the model, the first that is there counts; `version` and `started`
    read the harness's claim out of the results file and give `None` when it makes none; `started` is in UTC.
    """

    name: str
    model_keys: Sequence[str]
    version: Callable[[dict[str, Json]], str | None]
    started: Callable[[dict[str, Json]], str | None]


def read_evaluation(run: FoundRun, files: dict[str, PurePosixPath], dialect: Dialect) -> Reading:
    """Read the results file of a run, and count the lines of its sample files.

    What is wrong with single lines of samples is not told here: reading the samples tells it. A run is complete when
    its results file is whole and holds a metric and, if samples were saved at all, every task has as many as the
    results say, for every filter, all undamaged.

    Args:
        run: the run.
        files: the sample file of each task that has one.
        dialect: which of the harnesses wrote it.
    """
    document, findings = _document(run)
    said = document or {}
    tables = read_tables(said, files)
    config = table(said, "config")
    logged = bool(files) or bool(table(said, "task_hashes"))
    # With an offset, the count of lmms-eval ignores the samples that were skipped.
    joined = join(run, tables, files, logged=logged, fewer_is_fine=bool(config.get("offset")))
    version = dialect.version(said)
    whole = document is not None and not findings and bool(tables.metrics) and joined.whole
    if document is not None and run.results is not None:
        findings.extend(_about_run(said, config, version, where(run.results)))
    found = models(config, dialect.model_keys, [task.name for task in joined.tasks])
    return Reading(
        harness=HarnessRecord(
            name=dialect.name,
            version=version or Unknown(unknown="its results do not say"),
            version_from="claim" if version else "nothing",
            claims=claims(said, tables.details),
        ),
        subject=Subject(models=found, datasets=datasets(said)),
        results=Results(metrics=tables.metrics, tasks=joined.tasks, groups=tables.groups),
        model=short(found[0].name) if found else _model_of_folder(run),
        started=dialect.started(said),
        complete=whole,
        sample_files=files,
        findings=(*findings, *tables.findings, *joined.findings),
    )


def model_folder(path: Path) -> str | None:
    """Read from a results file how its harness called the model's folder, `None` when it cannot be read."""
    document, _ = load(path, "")
    name = document.get("model_name_sanitized") if document is not None else None
    return name if isinstance(name, str) else None


def is_results(path: Path, belongs: Callable[[dict[str, Json]], bool], *, by_name: bool) -> bool:
    """Tell by its content whether a file is, or once was, the results file of a harness.

    Other harnesses use the same names, so what is whole has to hold the tables, and `belongs` has to agree. What was
    cut short has to begin like them; under the harness's usual name (`by_name`) a beginning that is itself cut short
    will do.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return False
    try:
        value = decode(data).value
    except DamagedError:
        beginning = re.sub(rb"\s", b"", data[:64])
        return beginning.startswith(_BEGINNING) or (by_name and _BEGINNING.startswith(beginning))
    return isinstance(value, dict) and isinstance(value.get("results"), dict) and belongs(value)


def _document(run: FoundRun) -> tuple[dict[str, Json] | None, list[Finding]]:
    if run.results is not None:
        return load(run.root / run.results, where(run.results))
    detail = f"there are only samples of `{run.key}`"
    return None, [finding("W301", where(run.samples[0].parent) if run.samples else "harness", detail)]


def _about_run(said: dict[str, Json], config: dict[str, Json], version: str | None, place: str) -> list[Finding]:
    findings = [] if version else [finding("W307", place)]
    if config.get("limit") is not None and not table(said, "n-samples"):
        findings.append(finding("W306", place, f"`limit` is `{config['limit']}`"))
    if config.get("offset"):
        findings.append(finding("W306", place, f"`offset` is `{config['offset']}`"))
    return findings


def _model_of_folder(run: FoundRun) -> str:
    """Take a name for people from the model's folder, when there is one."""
    parts = run.files[0].parts if run.files else ()
    return short(str(where(PurePosixPath(parts[0])).rpartition("__")[2])) if len(parts) > 1 else "unknown"
