"""Whose results they are that lie where a command wrote: its own, or those of another that wrote there meanwhile.

Many evaluations share one output folder: the tasks of a job array, for one. What is new in it since the start is not
for that alone the command's own. Each Python process says at its end which files it opened to write: by these its runs
are known. Where a process that evaluated could not say it, because it was killed or nobody watched, all that is new
counts, as nobody can tell better.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from reprokit import clock
from reprokit.bundle.finding import Finding, finding
from reprokit.harnesses import table
from reprokit.harnesses.interface import FoundRun, Harness, Reader
from reprokit.probes import interpreter
from reprokit.probes.interpreter import ProcessFacts

Runs = Sequence[tuple[Reader, FoundRun]]

_NOTED = (".json", ".jsonl")
_SLACK = 0.25
"""Seconds by which the clock of a file system may be ahead of the machine's."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """The files that some processes said they wrote: real paths, and the names of those that are not seen from here.

    A process in a container, or on another machine, may know a file by another path.
    """

    paths: frozenset[str]
    names: frozenset[str]

    def holds(self, path: str) -> bool:
        """Tell whether a file is among them."""
        return interpreter.readable(os.path.realpath(path)) in self.paths or Path(path).name in self.names

    def any_of(self, run: FoundRun) -> bool:
        """Tell whether one of a run's files is among them."""
        return any(self.holds(str(run.root / file)) for file in run.files)


@dataclass(frozen=True, kw_only=True)
class ToldApart:
    """The runs that are ours, and those that are another's. `certain` tells whether nothing of ours can be missed."""

    ours: tuple[tuple[Reader, FoundRun], ...]
    others: tuple[FoundRun, ...]
    written: Written
    certain: bool

    def may_be_ours(self, path: str) -> bool:
        """Tell whether a new file that belongs to no run may be one that we left."""
        return not self.certain or not path.endswith(_NOTED) or self.written.holds(path)


def written_by(processes: Iterable[ProcessFacts]) -> Written:
    """Gather what some processes said they wrote."""
    paths = {str(Path(each.directory, path)) for each in processes for path in each.written or ()}
    return Written(
        paths=frozenset(os.path.realpath(path) for path in paths),
        names=frozenset(Path(path).name for path in paths if not os.path.lexists(path)),
    )


def tell_apart(found: Runs, processes: Sequence[ProcessFacts]) -> ToldApart:
    """Tell which of some new runs the processes of a command wrote.

    All of them count as ours when an evaluation of ours could not say what it wrote and is the writer of none, and when
    no process that evaluated was seen at all.
    """
    written = written_by(processes)
    ours = tuple((harness, run) for harness, run in found if written.any_of(run))
    seen = bool(ours) or any(_evaluated(each) for each in processes)
    certain = seen and not any(_is_open(group, ours) for group in _evaluations(processes))
    if not certain:
        return ToldApart(ours=tuple(found), others=(), written=written, certain=False)
    others = tuple(run for _, run in found if not written.any_of(run))
    return ToldApart(ours=ours, others=others, written=written, certain=True)


def not_taken(others: Iterable[FoundRun], directory: Path, detail: str = "") -> tuple[Finding, ...]:
    """Tell of runs that are another's, once for each place; `directory` is the command's own."""
    here = directory.resolve()
    counts = Counter(str(_seen_from(here, run.root.resolve())) for run in others)
    told = {place: f"{count} run{'s' if count > 1 else ''}" for place, count in counts.items()}
    return tuple(finding("W326", place, f"{count}{detail}") for place, count in told.items())


def written_until(run: FoundRun, ended: str) -> FoundRun | None:
    """Keep the files of a run that were not written after a moment (UTC); `None` when none is left."""
    kept = run.of_new(lambda file: was_there(run.root / file, ended))
    return run if kept is run else kept and replace(kept, stale=run.stale)


def was_there(path: Path | PurePosixPath, ended: str) -> bool:
    """Tell whether a file lay there, as it is, at a moment (UTC): it was written, or put there, before."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return min(status.st_mtime, status.st_ctime) <= clock.parse(ended).timestamp() + _SLACK


def asked(harness: Harness, argv: Sequence[str]) -> tuple[str, ...]:
    """Give what stands after the harness's own word: ranks, and the launcher above them, have it in common."""
    own = next((at for at, word in enumerate(argv) if harness.recognises([word])), -1)
    return tuple(argv[own + 1 :])


def _evaluations(processes: Sequence[ProcessFacts]) -> list[list[ProcessFacts]]:
    """Gather the processes of each evaluation: its ranks, and the launcher above them."""
    groups: dict[tuple[object, ...], list[ProcessFacts]] = {}
    for each in processes:
        harness = None if each.forked else table.by_argv(each.argv)
        if harness is not None:
            groups.setdefault((harness.name, each.directory, asked(harness, each.argv)), []).append(each)
    return list(groups.values())


def _is_open(evaluation: Sequence[ProcessFacts], ours: Runs) -> bool:
    """Tell whether an evaluation may have written a run without saying so."""
    if all(_said_all(each) for each in evaluation):
        return False
    written = written_by(evaluation)
    return not any(written.any_of(run) for _, run in ours)


def _said_all(process: ProcessFacts) -> bool:
    return process.written is not None and len(process.written) < interpreter.MOST_NOTED


def _evaluated(process: ProcessFacts) -> bool:
    """Tell whether a process ran a harness itself: a program that starts one elsewhere has the same command line."""
    harness = table.by_argv(process.argv)
    return harness is not None and _said_all(process) and harness.name in {*process.installed_modules, *process.modules}


def _seen_from(directory: Path, place: Path) -> Path:
    return place.relative_to(directory) if place.is_relative_to(directory) else place
