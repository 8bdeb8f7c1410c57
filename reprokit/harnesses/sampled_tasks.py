"""Joining the tasks that a results file names with the sample files that lie beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from msgspec.structs import replace

from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.results import Task
from reprokit.harnesses.found_files import sample_files, where
from reprokit.harnesses.interface import FoundRun
from reprokit.harnesses.loose_json import lines
from reprokit.harnesses.sample_lines import Survey, survey
from reprokit.harnesses.task_tables import Tables, filters_of


@dataclass(frozen=True, kw_only=True)
class Joined:
    """The tasks with their samples counted; `whole` when every sample file that should be there is there, undamaged."""

    tasks: list[Task] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    whole: bool


def join(
    run: FoundRun, tables: Tables, files: dict[str, PurePosixPath], *, logged: bool, fewer_is_fine: bool
) -> Joined:
    """Count the samples of every task and compare with what the harness says.

    Args:
        run: the run.
        tables: what its results file says.
        files: the sample file of each task that has one.
        logged: the harness was asked to save samples.
        fewer_is_fine: the harness's own counts are known to be too high in such a run.
    """
    tasks: list[Task] = []
    findings: list[Finding] = []
    whole = True
    stored = sample_files(task.name for task in tables.tasks)
    for task in tables.tasks:
        path = files.get(task.name)
        if path is None:
            tasks.append(task)
            findings.append(finding("W303", task.name))
            whole = whole and not logged
            continue
        found = survey(lines(run.root / path, where(path), key="doc_id", heads=True))
        tasks.append(replace(task, samples_saved=found.records, samples_file=stored[task.name]))
        differences = list(_differences(task, found, filters_of(tables.metrics, task.name)))
        findings.extend(difference for difference, _ in differences)
        if found.hash_says_nothing:
            findings.append(finding("W305", task.name, f"`doc_hash` is the same for every sample of `{where(path)}`"))
        lacking = any(short for _, short in differences) and not fewer_is_fine
        whole = whole and found.whole and not lacking
    return Joined(tasks=tasks, findings=findings, whole=whole)


def _differences(task: Task, found: Survey, filters: list[str | None]) -> Iterator[tuple[Finding, bool]]:
    """Compare counts; each difference comes with whether samples are lacking.

    Where the records name their filter, every filter has to have all samples; where they do not, the file holds the
    samples once for every filter.
    """
    claimed = task.samples_claimed
    if claimed is None:
        return
    expected: dict[str | None, int] = dict.fromkeys([*filters, *found.by_filter], claimed)
    if not set(found.by_filter) - {None}:
        expected = {None: claimed * max(1, len(filters))}
    for extraction, count in expected.items():
        saved = found.by_filter.get(extraction, 0)
        if saved != count:
            of = f" of filter `{extraction}`" if extraction is not None else ""
            yield finding("W304", task.name, f"{saved} saved{of}, {count} claimed"), saved < count
