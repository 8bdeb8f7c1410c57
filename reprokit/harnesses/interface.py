"""What an adapter owes: finding and reading one harness's own files, and changing its command lines for a re-run.

An adapter reads files and nothing else: it imports no harness, runs nothing and writes nothing. It must accept what the
harness really writes (`NaN`, `"N/A"`, invalid UTF-8, files cut short) and report what it could not use as findings.
A new harness is one file here, one line in `table.py`, one folder in `tests/recorded/` and one subclass of the contract
suite in `tests/contracts/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeAlias

from reprokit.bundle.finding import Finding
from reprokit.bundle.record import Harness as HarnessRecord
from reprokit.bundle.record import Output, Subject
from reprokit.bundle.results import Results
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Unknown

SampleId: TypeAlias = int | str


@dataclass(frozen=True, kw_only=True)
class FoundRun:
    """The files of one run, as they lie in an output folder.

    `root` is the folder the relative paths start from; `key` is what joins the files, for instance a time stamp.
    `stale` are files that would belong to it, had they not been there, as they are, before the run began: another's.
    """

    root: Path
    key: str
    results: PurePosixPath | None
    samples: tuple[PurePosixPath, ...] = ()
    others: tuple[PurePosixPath, ...] = ()
    stale: tuple[PurePosixPath, ...] = ()

    @cached_property
    def files(self) -> tuple[PurePosixPath, ...]:
        """All of them, sorted."""
        results = (self.results,) if self.results else ()
        return tuple(sorted({*results, *self.samples, *self.others}, key=attrgetter("parts")))

    def of_new(self, is_new: Callable[[PurePosixPath], bool]) -> FoundRun | None:
        """Keep the files that are new; `None` when none is. What was there before was written by another run."""
        stale = tuple(file for file in self.files if not is_new(file))
        if len(stale) == len(self.files):
            return None
        if not stale:
            return self
        return replace(
            self,
            results=None if self.results in stale else self.results,
            samples=tuple(file for file in self.samples if file not in stale),
            others=tuple(file for file in self.others if file not in stale),
            stale=stale,
        )


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a run's files say, in our terms.

    `started` is the harness's claim of the start (UTC, `…Z`), `model` a short name for people, `complete` whether the
    result files are all there and whole. `sample_files` names, per task, the file its samples are read from.
    """

    harness: HarnessRecord
    subject: Subject
    results: Results
    model: str
    started: str | None
    complete: bool
    sample_files: dict[str, PurePosixPath] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """A command line that asks for exact revisions; `names` are those on the hub that it now pins."""

    argv: tuple[str, ...]
    names: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Subset:
    """A command line that evaluates only some samples.

    `samples` are the numbers it evaluates of each task; where a task has fewer, those of them that there are. `how`
    says it in the harness's own words, for people.
    """

    argv: tuple[str, ...]
    samples: Mapping[str, Sequence[SampleId]]
    how: str


@dataclass(frozen=True, kw_only=True)
class Local:
    """A command line that reports, uploads and caches nothing.

    `dropped` says what was left out, and why; `unseen` are the files of settings that it reads (`--config`), which may
    ask for the same, or for outputs elsewhere.
    """

    argv: tuple[str, ...]
    dropped: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """The command line of a run, made from its own result files.

    `lost` says what the files do not hold and the run may have been given. A secret that the harness blacked out stands
    in `argv` as its slot's name between two NUL; `secrets` lists these names.
    """

    argv: tuple[str, ...]
    lost: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


class Reader(Protocol):
    """Who finds and reads the files of one kind of run."""

    name: str

    def find(self, places: Sequence[Path]) -> list[FoundRun]:
        """Find every run under some files or folders, hidden folders included, oldest first.

        Files of other programs are passed over. It must not follow symbolic links to folders, and never raises for what
        it finds; a place that does not exist holds no run.
        """
        ...

    def read(self, run: FoundRun) -> Reading:
        """Read the results of one run. What is damaged becomes a finding, never an exception."""
        ...

    def samples(self, run: FoundRun, task: str) -> Iterator[Sample | Finding]:
        """Stream the samples of one task in the order the harness wrote them, with findings for lines it cannot use.

        Memory must not grow with the number of samples.
        """
        ...


class Harness(Reader, Protocol):
    """One harness's adapter.

    What it does to command lines is pure: no file is looked at, and nothing is raised. Every word is plain text, and a
    part of a word that begins with a NUL stands for a secret or a place: it is kept as it is.
    """

    def recognises(self, argv: Sequence[str]) -> bool:
        """Tell whether a command line runs this harness, whatever starts it: `python -m`, a script, `uv run`."""
        ...

    def outputs(self, argv: Sequence[str]) -> list[Output]:
        """List the places the command line names for its outputs, as given; none when it names none."""
        ...

    def pinned(self, argv: Sequence[str], revisions: Mapping[str, str]) -> Pinned:
        """Ask for exact revisions of what the command line loads from the hub, where the harness has arguments for it.

        A revision that is a full commit already stays, and so does what a file of settings asks for.

        Args:
            argv: a command line.
            revisions: names of models on the hub, and the full commit of each.
        """
        ...

    def subset(self, argv: Sequence[str], samples: Mapping[str, Sequence[SampleId]]) -> Subset | Unknown:
        """Let the command line evaluate only some samples, instead of those that it names itself.

        Args:
            argv: a command line.
            samples: the samples of every task that it evaluates, by their ids; one left out may be evaluated whole.

        Returns:
            The command line, and the samples that the harness can be told, which may be others; or why it cannot.
        """
        ...

    def local(self, argv: Sequence[str]) -> Local:
        """Leave out what reports to a tracker, uploads, or takes responses and prompts from a cache."""
        ...

    def rebuilt(self, run: FoundRun) -> Rebuilt | Unknown:
        """Make the command line of a run from its result files, without what `local` leaves out.

        It names a place for outputs, the recorded one where there is one: `outputs` finds it.
        """
        ...
