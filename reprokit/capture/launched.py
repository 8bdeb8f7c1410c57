"""Evaluations that another program started: a shell script, a workflow tool, a Python program of one's own.

Such a command names neither a harness nor a place. But every Python process says what it was started with, so that the
evaluations among them, and the places that they were told to write to, are known once the command has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Output
from reprokit.capture import outputs, whose
from reprokit.capture.preparation import Prepared
from reprokit.harnesses import table
from reprokit.harnesses.found_files import absolute
from reprokit.harnesses.interface import FoundRun, Harness, Reader
from reprokit.harnesses.script import Script
from reprokit.probes import interpreter
from reprokit.probes.interpreter import ProcessFacts

_COARSE = 0.05
"""Seconds by which a file system's clock may be behind the process that writes to it."""


@dataclass(frozen=True, kw_only=True)
class Launched:
    """One evaluation, as the process that ran it was started.

    `directory` is where its relative paths start; `places` are what it was told to write to, seen from anywhere;
    `started` is in seconds since the epoch.
    """

    harness: Harness
    argv: tuple[str, ...]
    directory: Path
    places: tuple[Path, ...]
    started: float


def evaluations(processes: Sequence[ProcessFacts]) -> list[Launched]:
    """List the evaluations among some processes, earliest first.

    The ranks of one evaluation, and the launcher above them, say the same of its harness, directory and places at about
    the same time and count once: what tells two evaluations apart is what stands after the harness in the command line.
    """
    found: dict[tuple[object, ...], Launched] = {}
    for process in sorted(processes, key=lambda each: (each.started, each.host, each.pid)):
        harness = None if process.forked else table.by_argv(process.argv)
        if harness is None:
            continue
        directory = Path(process.directory)
        # A process says where it really is, so that `..` at the start of a path leads where it seems to.
        places = tuple(absolute(directory / output.path) for output in harness.outputs(process.argv))
        key = (harness.name, directory, whose.asked(harness, process.argv))
        launched = Launched(
            harness=harness, argv=process.argv, directory=directory, places=places, started=process.started
        )
        found.setdefault(key, launched)
    return list(found.values())


@dataclass(frozen=True, kw_only=True)
class Left:
    """What the evaluations that a command started left behind.

    `runs` pairs each run with its harness, oldest first in each; `others` are runs that lie among them and are
    another's; `outputs` are the places they were told to write to, relative to the command's directory where they lie
    in it.
    """

    runs: tuple[tuple[Reader, FoundRun], ...]
    others: tuple[FoundRun, ...] = ()
    outputs: tuple[Output, ...]
    findings: tuple[Finding, ...]

    @property
    def files(self) -> list[Path]:
        """The files of all the runs."""
        runs = [*(run for _, run in self.runs), *self.others]
        return [run.root / file for run in runs for file in run.files]


def left_by(launched: Sequence[Launched], directory: Path, processes: Sequence[ProcessFacts] = ()) -> Left:
    """Find the runs that some evaluations left in their places; `directory` is the command's own.

    What lay there before is not known, for nobody knew the places then: a run counts when one of its files was written
    or put there since the first of the evaluations began. `processes`, all that the command started, tell which of
    these they wrote.
    """
    found: dict[tuple[str, Path, str], tuple[Reader, FoundRun]] = {}
    expected: list[tuple[int, set[tuple[str, Path, str]]]] = []
    for (harness, places), together in _by_place(launched).items():
        since = min(each.started for each in together) - _COARSE
        newer = (run.of_new(partial(_is_newer, run.root, since)) for run in harness.find(places))
        there = {(harness.name, run.root.resolve(), run.key): (harness, run) for run in newer if run is not None}
        expected.append((len(together), set(there)))
        found |= there
    told = whose.tell_apart(list(found.values()), processes)
    ours = {key for key, pair in found.items() if pair in told.ours}
    missing = sum(max(0, count - len(keys & ours)) for count, keys in expected)
    named = dict.fromkeys(place for each in launched for place in each.places)
    lacking = (finding("W354", "bundle.json", f"{missing} of {len(launched)}"),) if ours and missing else ()
    return Left(
        runs=told.ours,
        others=told.others,
        outputs=tuple(Output(path=_seen_from(directory, place)) for place in named),
        findings=(*lacking, *whose.not_taken(told.others, directory)),
    )


def runs_of(prepared: Prepared, directory: Path) -> tuple[list[tuple[Reader, FoundRun | None]], tuple[Finding, ...]]:
    """Find the runs that a command left, each with its harness; a command that left none counts as one run.

    Where the command line named no place, those that its processes were given are added to what is known of it: to the
    places it names, and to the files it wrote, which are no change to the code.
    """
    found = [(prepared.harness, run) for run in outputs.new_runs(prepared.harness, prepared.places, prepared.before)]
    if found and isinstance(prepared.harness, Script):
        return [*found], ()  # somebody named the files, and a program may write them as it likes
    processes = interpreter.read(prepared.probes)
    told = whose.tell_apart(found, processes)
    remarks = whose.not_taken(told.others, directory)
    if told.ours:
        return [*told.ours], remarks
    launched = [] if prepared.places else evaluations(processes)
    if launched:
        left = left_by(launched, directory, processes)
        prepared.named.extend(left.outputs)
        prepared.written.extend(left.files)
        return list(left.runs) or [(launched[0].harness, None)], left.findings
    remains, too_many = outputs.left_behind(prepared.places, prepared.before, told.may_be_ours)
    if too_many:
        remarks = (*remarks, finding("W317", "harness", f"{too_many} files"))
    return [(prepared.harness, remains)], remarks


def told_by_launcher(processes: Sequence[ProcessFacts]) -> dict[str, str]:
    """Give what a launcher told the processes it started, where they agree: how many they are, not each one's rank."""
    told = [process.launcher for process in processes if process.launcher]
    return (
        {name: value for name, value in told[0].items() if all(each.get(name) == value for each in told)}
        if told
        else {}
    )


def _by_place(launched: Sequence[Launched]) -> dict[tuple[Harness, tuple[Path, ...]], list[Launched]]:
    groups: dict[tuple[Harness, tuple[Path, ...]], list[Launched]] = {}
    for each in launched:
        groups.setdefault((each.harness, each.places), []).append(each)
    return groups


def _seen_from(directory: Path, place: Path) -> str:
    here = directory.resolve()
    return place.relative_to(here).as_posix() if place.is_relative_to(here) else str(place)


def _is_newer(root: Path, since: float, file: PurePosixPath) -> bool:
    try:
        status = (root / file).lstat()
    except OSError:
        return False
    return max(status.st_mtime, status.st_ctime) >= since
