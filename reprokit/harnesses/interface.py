"""What an adapter owes: finding and reading one harness's own files.

An adapter reads files and nothing else: it imports no harness, runs nothing and writes nothing. It must accept what the
harness really writes (`NaN`, `"N/A"`, invalid UTF-8, files cut short) and report what it could not use as findings.
A new harness is one file here, one line in `table.py`, one folder in `tests/recorded/` and one subclass of the contract
suite in `tests/contracts/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Protocol

from reprokit.bundle.finding import Finding
from reprokit.bundle.record import Harness as HarnessRecord
from reprokit.bundle.record import Output, Subject
from reprokit.bundle.results import Results
from reprokit.bundle.sample import Sample


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


class Harness(Protocol):
    """One harness's adapter."""

    name: str

    def recognises(self, argv: Sequence[str]) -> bool:
        """Tell whether a command line runs this harness, whatever starts it: `python -m`, a script, `uv run`."""
        ...

    def outputs(self, argv: Sequence[str]) -> list[Output]:
        """List the places the command line names for its outputs, as given; none when it names none."""
        ...

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
