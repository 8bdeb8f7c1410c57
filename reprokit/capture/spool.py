"""What a program records of itself while it runs: written down at once, so that a crash loses nothing.

    spool/results.json            the metrics that the program gave, and what it said of model and data
    spool/samples/<task>.jsonl    one line a sample
    spool/files/…                 files that it handed over

The first two have the form that a script's files have (`script_results`, `script_sample`): should the program be
killed, they are captured like those.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import msgspec

from reprokit.bundle import canonical
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Harness as HarnessRecord
from reprokit.bundle.record import Output, Subject
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Json, NotScored, Score, Unknown
from reprokit.harnesses.found_files import sample_files
from reprokit.harnesses.interface import FoundRun, Reading
from reprokit.harnesses.loose_json import Line, lines
from reprokit.harnesses.model_names import short
from reprokit.harnesses.sample_lines import Repeats
from reprokit.harnesses.script_results import read_results

NAME = "python"
RESULTS = "results.json"
_MOST_OPEN = 128
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
_KEY = tuple[str, str, str | None]


@dataclass(kw_only=True)
class Mean:
    """The mean of marks, and its standard error, as they come: nothing is kept of them."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, mark: float) -> None:
        """Take one more mark into account."""
        self.count += 1
        step = mark - self.mean
        self.mean += step / self.count
        self.squares += step * (mark - self.mean)

    @property
    def stderr(self) -> float | None:
        """The standard error of the mean, from the sample's variance; none for fewer than two marks."""
        return math.sqrt(self.squares / (self.count - 1) / self.count) if self.count > 1 else None


@dataclass(kw_only=True)
class _Task:
    path: PurePosixPath
    descriptor: int | None
    count: int = 0


@dataclass(kw_only=True)
class Spool:
    """The spool of one block, in a folder of its own. Any thread of the process may write to it."""

    folder: Path
    started: str
    metrics: list[dict[str, Json]] = field(default_factory=list)
    about: dict[str, Json] = field(default_factory=dict)
    tasks: dict[str, _Task] = field(default_factory=dict)
    means: dict[_KEY, Mean] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self) -> None:
        """Make the folder, with results that say nothing yet.

        Raises:
            OSError: it cannot be written.
        """
        (self.folder / "samples").mkdir(parents=True)
        self._write_results()

    def add(self, task: str, members: dict[str, Json], scores: dict[str, Score]) -> None:
        """Write a sample down. `members` are those of a script's sample, JSON already; nothing is buffered.

        Raises:
            OSError: it cannot be written.
        """
        line = canonical.line({"task": task, **members, "scores": scores}) + b"\n"
        extraction = members.get("filter")
        with self.lock:
            entry = self.tasks.get(task) or self._begin(task)
            self._append(entry, line)
            entry.count += 1
            for name, mark in scores.items():
                mean = self.means.setdefault((task, name, extraction), Mean())
                if not isinstance(mark, NotScored):
                    mean.add(float(mark))

    def give(self, row: dict[str, Json]) -> None:
        """Note a metric that the program computed; of one that is given again, the last counts.

        Raises:
            OSError: it cannot be written.
        """
        key = _key_of(row)
        with self.lock:
            self.metrics[:] = [*(each for each in self.metrics if _key_of(each) != key), row]
            self._write_results()

    def say(self, about: dict[str, Json]) -> None:
        """Note what the program says of the model (`model`) and the data (`datasets`).

        Raises:
            OSError: it cannot be written.
        """
        with self.lock:
            self.about |= about
            self._write_results()

    def close(self) -> None:
        """Write no more."""
        with self.lock:
            for task in self.tasks.values():
                if task.descriptor is not None:
                    os.close(task.descriptor)
                task.descriptor = None

    def _begin(self, task: str) -> _Task:
        # Made one by one, a name can depend on those before: the digest in it tells tasks apart all the same.
        path = PurePosixPath(sample_files([task])[task])
        taken = {each.path.name.lower() for each in self.tasks.values()}
        if path.name.lower() in taken:
            path = path.with_name(f"{path.stem}-{len(taken) + 1}{path.suffix}")
        keep_open = len(self.tasks) < _MOST_OPEN
        self.tasks[task] = _Task(
            path=path, descriptor=os.open(self.folder / path, _APPEND, 0o600) if keep_open else None
        )
        return self.tasks[task]

    def _append(self, task: _Task, line: bytes) -> None:
        descriptor = task.descriptor
        if descriptor is None:
            descriptor = os.open(self.folder / task.path, _APPEND, 0o600)
        try:
            while line:
                line = line[os.write(descriptor, line) :]
        finally:
            if task.descriptor is None:
                os.close(descriptor)

    def _write_results(self) -> None:
        temporary = self.folder / f".{RESULTS}"
        document = {**self.about, "started": self.started, "results": self.metrics}
        temporary.write_bytes(canonical.record(document))
        temporary.replace(self.folder / RESULTS)


class Spooled:
    """The adapter that reads a spool which is written no more.

    Args:
        spool: the spool.
        whole: the block ended well, and nothing is missing of what it recorded.
    """

    name = NAME

    def __init__(self, spool: Spool, *, whole: bool) -> None:
        self._spool = spool
        self._whole = whole

    def recognises(self, argv: Sequence[str]) -> bool:
        """Recognise nothing: the program says itself that it is captured."""
        del argv
        return False

    def outputs(self, argv: Sequence[str]) -> list[Output]:
        """Name nothing: what the program writes besides is its own affair."""
        del argv
        return []

    def find(self, places: Sequence[Path]) -> list[FoundRun]:
        """Give the one run; the samples, which are ours, are no files of a harness."""
        del places
        folder = self._spool.folder
        files = sorted(path for path in (folder / "files").rglob("*") if path.is_file())
        others = tuple(PurePosixPath(path.relative_to(folder).as_posix()) for path in files)
        return [FoundRun(root=folder, key=NAME, results=PurePosixPath(RESULTS), others=others)]

    def read(self, run: FoundRun) -> Reading:
        """Read what the program said; a metric that it did not give is the mean of the samples' marks."""
        said = read_results(run.root / RESULTS, f"harness/{RESULTS}")
        given = {(metric.task, metric.metric, metric.filter) for metric in said.metrics}
        computed = [
            Metric(task=task, metric=name, filter=extraction, value=mean.mean, stderr=mean.stderr, n=mean.count)
            for (task, name, extraction), mean in self._spool.means.items()
            if (task, name, extraction) not in given and mean.count
        ]
        names = dict.fromkeys([*said.tasks, *self._spool.tasks])
        stored = sample_files(names)
        saved = {name: task.count for name, task in self._spool.tasks.items()}
        tasks = [
            Task(name=name, samples_saved=saved.get(name, 0), samples_file=stored[name] if name in saved else None)
            for name in names
        ]
        findings = [*said.findings, *_about_computed(computed)]
        if not names:
            findings.append(finding("W301", "harness", "the program recorded neither a sample nor a metric"))
        return Reading(
            harness=HarnessRecord(
                name=NAME,
                version=Unknown(unknown="a program of one's own has no version of its own"),
                version_from="nothing",
                claims=said.claims,
            ),
            subject=Subject(models=said.models, datasets=said.datasets),
            results=Results(metrics=[*said.metrics, *computed], tasks=tasks),
            model=short(said.models[0].name) if said.models else "unknown",
            started=said.started,
            complete=self._whole and said.whole and bool(names),
            sample_files={name: task.path for name, task in self._spool.tasks.items()},
            findings=tuple(findings),
        )

    def samples(self, run: FoundRun, task: str) -> Iterator[Sample | Finding]:
        """Stream the samples of a task; one that was recorded again without an epoch is the next epoch."""
        path = self._spool.tasks[task].path
        repeats = Repeats(where=str(path), task=task)
        for line in lines(run.root / path, str(path), key="id"):
            yield line if isinstance(line, Finding) else _sample(line, repeats)
        yield from repeats.findings()


def _key_of(row: dict[str, Json]) -> tuple[Json, ...]:
    return row["task"], row["metric"], row.get("filter")


def _about_computed(computed: Sequence[Metric]) -> Iterator[Finding]:
    names: dict[str, list[str]] = {}
    for metric in computed:
        names.setdefault(metric.task, []).append(f"`{metric.metric}`")
    for task, listed in names.items():
        yield finding("W352", task, ", ".join(dict.fromkeys(listed)))


def _sample(line: Line, repeats: Repeats) -> Sample:
    sample = msgspec.convert(line.value, Sample)
    key = sample.id if "epoch" not in line.value else f"{sample.id}, epoch {sample.epoch}"
    times = repeats.epoch(line, key, sample.filter)
    return msgspec.structs.replace(
        sample,
        epoch=sample.epoch if "epoch" in line.value else times,
        document_digest=_digest(sample.document),
        prompt_digest=_digest(sample.prompt),
        target_digest=_digest(sample.target),
    )


def _digest(value: Json) -> str | None:
    return None if value is None else canonical.digest(value)
