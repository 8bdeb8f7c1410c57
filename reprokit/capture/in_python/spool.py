"""What a program records of itself while it runs: written down at once, so that a crash loses nothing.

    spool/results.json            the metrics that the program gave, and what it said of model and data
    spool/samples/<task>.jsonl    one line a sample
    spool/wanted.json             which files it asked to be taken along
    spool/files/…                 those, as they were when the block ended

The first two have the form that a script's files have (`script_results`, `script_sample`). Should the program be
killed, `read_again` reads what it wrote, and a bundle is made of it all the same (see `finishing`).
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import msgspec

from reprokit.bundle import bag, canonical
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Harness as HarnessRecord
from reprokit.bundle.record import Output, Subject
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Json, NotScored, Score, Unknown
from reprokit.harnesses.found_files import names_in, sample_files
from reprokit.harnesses.interface import FoundRun, Reading
from reprokit.harnesses.loose_json import Line, lines
from reprokit.harnesses.model_names import short
from reprokit.harnesses.sample_lines import Repeats
from reprokit.harnesses.script_results import read_results

NAME = "python"
RESULTS = "results.json"
_SAMPLES, _FILES, _WANTED = "samples", "files", "wanted.json"
_MOST_OPEN = 128
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
_MOST_WANTED = 64 << 20
_READ_ME = """\
What a Python program records of itself. When it has ended and this is still here, it was stopped before its time:
`reprokit sync` makes a bundle of it then, and `reprokit status` lists it until that is done.
"""
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
    wanted: dict[Path, None] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self) -> None:
        """Make the folder, with results that say nothing yet.

        Raises:
            OSError: it cannot be written.
        """
        (self.folder / _SAMPLES).mkdir(parents=True)
        (self.folder / "README.txt").write_text(_READ_ME, encoding="utf-8")
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
            self._count(entry, (task, extraction), scores)

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

    def want(self, path: Path) -> None:
        """Note a file that is to be taken along, by its absolute path.

        Raises:
            OSError: it cannot be written.
        """
        with self.lock:
            self.wanted[path] = None
            self._write(_WANTED, [str(each) for each in self.wanted])

    def take_wanted(self, directory: Path) -> list[str]:
        """Copy the files that are to be taken along, as they are now; says which could not be, and why.

        Those below `directory` keep their place in it, any other its name alone.
        """
        shutil.rmtree(self.folder / _FILES, ignore_errors=True)  # of an attempt that was cut short
        missed: list[str] = []
        for path in self.wanted:
            inside = path.is_relative_to(directory) and ".." not in path.parts
            name = path.relative_to(directory) if inside else Path(path.name)
            target = self.folder / _FILES / name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                # A link that somebody named is followed.
                with bag.open_regular(Path(os.path.realpath(path))) as source, target.open("xb") as copy:
                    shutil.copyfileobj(source, copy)
            except OSError as error:
                missed.append(f"the file `{name}`: {error.strerror or error}")
        return missed

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

    def _count(self, entry: _Task, key: tuple[str, str | None], scores: Mapping[str, Score]) -> None:
        entry.count += 1
        task, extraction = key
        for name, mark in scores.items():
            mean = self.means.setdefault((task, name, extraction), Mean())
            if not isinstance(mark, NotScored):
                mean.add(float(mark))

    def read_again(self) -> list[Finding]:
        """Learn from the folder what a process wrote there that is gone: the whole lines, as `add` counted them.

        Returns what nobody can tell the task of; other lines that are not whole, `Spooled` tells.
        """
        lost: list[Finding] = []
        for name in names_in(self.folder / _SAMPLES):
            lost += self._read_file(PurePosixPath(_SAMPLES) / name)
        with contextlib.suppress(OSError, ValueError), bag.open_regular(self.folder / _WANTED) as stream:
            named = msgspec.json.decode(stream.read(_MOST_WANTED), type=list[str])
            self.wanted = {Path(each): None for each in named}
        return lost

    def _read_file(self, path: PurePosixPath) -> list[Finding]:
        damaged: list[Finding] = []
        whole = 0
        for line in lines(self.folder / path, str(path), key="id"):
            if isinstance(line, Finding):
                damaged.append(_cut_short(line, "an unknown task"))
                continue
            sample = msgspec.convert(line.value, Sample)
            entry = self.tasks.setdefault(sample.task, _Task(path=path, descriptor=None))
            self._count(entry, (sample.task, sample.filter), sample.scores)
            whole += 1
        return [] if whole else damaged

    def _append(self, task: _Task, line: bytes) -> None:
        descriptor = task.descriptor
        if descriptor is None:
            descriptor = os.open(self.folder / task.path, _APPEND, 0o600)
        written = 0
        try:
            while written < len(line):
                written += os.write(descriptor, line[written:])
        except BaseException:
            # Half a line would take the next one along.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
            raise
        finally:
            if task.descriptor is None:
                os.close(descriptor)

    def _write_results(self) -> None:
        self._write(RESULTS, {**self.about, "started": self.started, "results": self.metrics})

    def _write(self, name: str, document: object) -> None:
        temporary = self.folder / f".{name}"
        temporary.write_bytes(canonical.record(document))
        temporary.replace(self.folder / name)


class Spooled:
    """The adapter that reads a spool which is written no more.

    Args:
        spool: the spool.
        whole: the block ended well, and nothing is missing of what it recorded.
    """

    name = NAME

    def __init__(self, spool: Spool, *, whole: bool) -> None:
        # Without the spool's lock, so that it can be handed to another process (see `side_by_side`).
        self._folder, self._tasks, self._means = spool.folder, spool.tasks, spool.means
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
        folder = self._folder
        files = sorted(path for path in (folder / _FILES).rglob("*") if path.is_file())
        others = tuple(PurePosixPath(path.relative_to(folder).as_posix()) for path in files)
        return [FoundRun(root=folder, key=NAME, results=PurePosixPath(RESULTS), others=others)]

    def read(self, run: FoundRun) -> Reading:
        """Read what the program said; a metric that it did not give is the mean of the samples' marks."""
        said = read_results(run.root / RESULTS, f"harness/{RESULTS}")
        given = {(metric.task, metric.metric, metric.filter) for metric in said.metrics}
        computed = [
            Metric(task=task, metric=name, filter=extraction, value=mean.mean, stderr=mean.stderr, n=mean.count)
            for (task, name, extraction), mean in self._means.items()
            if (task, name, extraction) not in given and mean.count
        ]
        names = dict.fromkeys([*said.tasks, *self._tasks])
        stored = sample_files(names)
        saved = {name: task.count for name, task in self._tasks.items()}
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
            sample_files={name: task.path for name, task in self._tasks.items()},
            findings=tuple(findings),
        )

    def samples(self, run: FoundRun, task: str) -> Iterator[Sample | Finding]:
        """Stream the samples of a task; one that was recorded again without an epoch is the next epoch."""
        path = self._tasks[task].path
        repeats = Repeats(where=str(path), task=task)
        for line in lines(run.root / path, str(path), key="id"):
            yield _cut_short(line, f"`{task}`") if isinstance(line, Finding) else _sample(line, repeats)
        yield from repeats.findings()


def _key_of(row: dict[str, Json]) -> tuple[Json, ...]:
    return row["task"], row["metric"], row.get("filter")


def _about_computed(computed: Sequence[Metric]) -> Iterator[Finding]:
    names: dict[str, list[str]] = {}
    for metric in computed:
        names.setdefault(metric.task, []).append(f"`{metric.metric}`")
    for task, listed in names.items():
        yield finding("W352", task, ", ".join(dict.fromkeys(listed)))


def _cut_short(damage: Finding, whose: str) -> Finding:
    """Say that a line is no sample: the process, or the machine, ended while it was written."""
    _, _, place = damage.message.rpartition("damaged: ")
    return finding("W351", "harness", f"a sample of {whose}, {damage.where}, {place}")


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
