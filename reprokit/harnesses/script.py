"""A program of the user's own: it is told which files it wrote, and reads what people write by hand.

`reprokit capture --results FILE --samples FILE -- CMD` names the files. `script_results` says what a results file may
look like, `script_sample` what a sample may.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath
from typing import Literal

from msgspec.structs import replace

from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Harness as HarnessRecord
from reprokit.bundle.record import Output, Subject
from reprokit.bundle.results import Results, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Unknown
from reprokit.harnesses.found_files import absolute, sample_files, where
from reprokit.harnesses.interface import FoundRun, Local, Pinned, Reading, Rebuilt, SampleId, Subset
from reprokit.harnesses.model_names import short
from reprokit.harnesses.sample_lines import Repeats
from reprokit.harnesses.script_fields import STANDARD, Fields
from reprokit.harnesses.script_results import Said, nothing_said, read_results
from reprokit.harnesses.script_sample import records, sample_of, task_of


class Script:
    """The adapter for a program of the user's own; made for one call, with the files of that call.

    Args:
        results: the file of results, if any.
        samples: the files of samples.
        fields: the keys under which the samples hold what we look for.
    """

    name = "script"

    def __init__(self, results: Path | None = None, samples: Sequence[Path] = (), *, fields: Fields = STANDARD) -> None:
        self.results = results
        self.samples_named = tuple(samples)
        self.fields = fields

    def recognises(self, argv: Sequence[str]) -> bool:
        """Recognise nothing: that a command is a script is for the user to say."""
        del argv
        return False

    def outputs(self, argv: Sequence[str]) -> list[Output]:
        """Return the named files, each with every argument that is the file's path or ends with `=` and the path."""
        return [replace(output, holds=holds) for path, holds in self._files() for output in _outputs_of(path, argv)]

    def find(self, places: Sequence[Path]) -> list[FoundRun]:
        """Find the one run: the named files that are there, with paths from the deepest folder that holds them all.

        A named file is looked for among the places, which may spell it out, before it is taken as it was named. A
        link that somebody named is followed: the file it leads to is the run's.
        """
        results = _followed(_placed(self.results, places)) if self.results else None
        samples = [_followed(_placed(path, places)) for path in self.samples_named]
        there = list(dict.fromkeys(path for path in (results, *samples) if path and _is_file(path)))
        if not there:
            return []
        root = _common_folder(there)
        paths = {path: _relative(path, root) for path in there}
        return [
            FoundRun(
                root=root,
                key=there[0].name,
                results=paths.get(results) if results else None,
                samples=tuple(dict.fromkeys(paths[path] for path in samples if path in paths and path != results)),
            )
        ]

    def read(self, run: FoundRun) -> Reading:
        """Read the results, and count the samples of each task.

        A run is complete when its results hold a metric, no line of samples is damaged and no task has fewer samples
        than its results say.
        """
        said = _said(run)
        counted = _count(run, said, self.fields)
        files = counted.files
        stored = sample_files(dict.fromkeys([*said.tasks, *files]))
        tasks: list[Task] = []
        findings = [*said.findings, *counted.findings]
        for name in stored:
            saved = counted.records[name]
            claimed = said.counts.get(name)
            path = stored[name] if name in files else None
            tasks.append(Task(name=name, samples_claimed=claimed, samples_saved=saved, samples_file=path))
            if not saved and self.samples_named:
                findings.append(finding("W303", name))
            elif saved and claimed not in {None, saved}:
                findings.append(finding("W304", name, f"{saved} saved, {claimed} claimed"))
        lacking = any(task.samples_saved < (task.samples_claimed or 0) for task in tasks) and bool(run.samples)
        return Reading(
            harness=HarnessRecord(
                name=self.name,
                version=Unknown(unknown="a script has no version of its own"),
                version_from="nothing",
                claims=said.claims,
                fields=self.fields.chosen_keys(),
            ),
            subject=Subject(
                models=[replace(model, tasks=list(stored)) for model in said.models], datasets=said.datasets
            ),
            results=Results(metrics=said.metrics, tasks=tasks),
            model=short(said.models[0].name) if said.models else "unknown",
            started=said.started,
            complete=said.whole and bool(said.metrics) and counted.whole and not lacking,
            sample_files=files,
            findings=tuple(findings),
        )

    def samples(self, run: FoundRun, task: str) -> Iterator[Sample | Finding]:
        """Stream the samples of a task out of all files, in their order.

        Damaged lines belong to no task; they are told once, with the task of the file's first usable sample.
        """
        said = _said(run)
        metrics = frozenset(metric.metric for metric in said.metrics)
        for path in run.samples:
            repeats = Repeats(where=where(path), task=task)
            told = _Told(task=task, default=said.default_task(path))
            for record in records(run.root / path, where(path)):
                if isinstance(record, Finding):
                    yield from told.damage(record)
                    continue
                named = task_of(record.value, told.default, self.fields)
                yield from told.first_record(named)
                if named == task:
                    yield sample_of(task, record, metrics, repeats, self.fields)
            yield from told.end()
            yield from repeats.findings()

    def pinned(self, argv: Sequence[str], revisions: Mapping[str, str]) -> Pinned:
        """Pin nothing: what the arguments of a script mean is its own."""
        del revisions
        return Pinned(argv=tuple(argv), names=frozenset())

    def subset(self, argv: Sequence[str], samples: Mapping[str, Sequence[SampleId]]) -> Subset | Unknown:
        """Say that a script cannot be told."""
        del argv, samples
        return Unknown(unknown="how a program of one's own is told to evaluate only some samples is not known")

    def local(self, argv: Sequence[str]) -> Local:
        """Leave out nothing, for the same reason."""
        return Local(argv=tuple(argv))

    def rebuilt(self, run: FoundRun) -> Rebuilt | Unknown:
        """Say that the results of a script do not tell."""
        del run
        return Unknown(unknown="the results of a program of one's own do not say how it was started")

    def _files(self) -> Iterator[tuple[Path, Literal["results", "samples"]]]:
        if self.results:
            yield self.results, "results"
        for path in dict.fromkeys(self.samples_named):
            if path != self.results:
                yield path, "samples"


@dataclass(kw_only=True)
class _Told:
    """Decides whether the damage of a file is told among the samples of one task."""

    task: str
    default: str
    first: str | None = None
    waiting: list[Finding] = field(default_factory=list)

    def damage(self, found: Finding) -> Iterator[Finding]:
        if self.first is None:
            self.waiting.append(found)
        elif self.first == self.task:
            yield found

    def first_record(self, task: str) -> Iterator[Finding]:
        if self.first is None:
            self.first = task
            yield from self.waiting if task == self.task else ()

    def end(self) -> Iterator[Finding]:
        if self.first is None and self.default == self.task:
            yield from self.waiting


@dataclass(frozen=True, kw_only=True)
class _Counted:
    """How many samples each task has, and the first file that holds any; a file without any counts for its task."""

    records: Counter[str]
    files: dict[str, PurePosixPath]
    whole: bool
    findings: list[Finding]


def _count(run: FoundRun, said: Said, fields: Fields) -> _Counted:
    counts: Counter[str] = Counter()
    files: dict[str, PurePosixPath] = {}
    whole = True
    missing = {key: member for member, key in fields.expected()}
    for path in run.samples:
        default = said.default_task(path)
        usable = 0
        for record in records(run.root / path, where(path)):
            if isinstance(record, Finding):
                whole = False
                continue
            usable += 1
            for key in [key for key in missing if key in record.value]:
                del missing[key]
            task = task_of(record.value, default, fields)
            counts[task] += 1
            files.setdefault(task, path)
        if not usable:
            counts[default] += 0
            files.setdefault(default, path)
    unseen = [finding("W350", member, f"`{key}`") for key, member in missing.items()] if counts.total() else []
    return _Counted(records=counts, files=files, whole=whole, findings=unseen)


def _said(run: FoundRun) -> Said:
    if run.results is None:
        place = where(run.samples[0]) if run.samples else "harness"
        named = ", ".join(f"`{file}`" for file in run.stale)
        return nothing_said(
            finding("W301", place, f"nothing new at {named}" if named else "no metrics file was written")
        )
    return read_results(run.root / run.results, where(run.results))


def _outputs_of(path: Path, argv: Sequence[str]) -> list[Output]:
    text = str(path)
    named: list[Output] = []
    for index, argument in enumerate(argv):
        if argument.endswith("=" + text):
            named.append(Output(path=text, argument=index, prefix=argument.removesuffix(text)))
        elif PurePath(argument) == path:
            named.append(Output(path=text, argument=index))
    return named or [Output(path=text)]


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - it never raises, `Path.is_file` does where a folder may not be entered


def _placed(path: Path, places: Sequence[Path]) -> Path:
    tail = path.parts
    return next((place for place in places if place.parts[-len(tail) :] == tail), path)


def _followed(path: Path) -> Path:
    return Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114 - neither ever raises


def _common_folder(files: Sequence[Path]) -> Path:
    """Find the deepest folder above all files, spelled as they are; where `..` would lead out of it, spelled anew."""
    folder = files[0].parent
    while not all(file.is_relative_to(folder) for file in files) and folder != folder.parent:
        folder = folder.parent
    if all(file.is_relative_to(folder) and ".." not in file.relative_to(folder).parts for file in files):
        return folder
    return Path(os.path.commonpath([absolute(file).parent for file in files]))


def _relative(path: Path, root: Path) -> PurePosixPath:
    inside = path.is_relative_to(root) and ".." not in path.relative_to(root).parts
    spelled = path if inside else absolute(path)
    return PurePosixPath(spelled.relative_to(root).as_posix())
