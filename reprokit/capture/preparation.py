"""What is done before the command starts: an archive found, a staging folder made, the checkout looked at."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from reprokit import git
from reprokit.archive.location import Archive
from reprokit.archive.publication import stage
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Input, Output
from reprokit.bundle.values import Unknown
from reprokit.capture import arguments, outputs
from reprokit.capture.checkouts.settling import WORKING_DIRECTORY, Checkouts, Settled
from reprokit.capture.outputs import Snapshot
from reprokit.capture.request import Request
from reprokit.git import GitError, GitTimeoutError
from reprokit.harnesses import table
from reprokit.harnesses.interface import Harness
from reprokit.harnesses.script import Script
from reprokit.harnesses.script_fields import STANDARD, Fields
from reprokit.outbox import queueing
from reprokit.outbox.queueing import Wanted
from reprokit.probes import secrets
from reprokit.probes.secrets import Secrets
from reprokit.probes.source import checkout as source
from reprokit.probes.source.checkout import ObservedSource

PROBES = "probes"
LOOKING = 10.0
"""Seconds that the look at the code may keep the evaluation waiting: it takes one or two, ten times as many on a slow
network file system. What takes longer is looked at while the evaluation runs. With `outputs.REMEMBERING`, the start is
15 seconds later at the very worst.
"""
FINDING = 30.0
"""Seconds for finding the archive: one question to git. Only the first capture of all, which makes it, asks more; were
that cut short, nothing would be captured."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What is known before the command starts."""

    archive: Archive
    staging: Path
    harness: Harness
    named: list[Output]
    places: list[Path]
    written: list[Path]
    before: Snapshot
    source: ObservedSource | Unknown | None
    checkouts: Checkouts
    root: Path | None
    inputs: list[Input]
    findings: tuple[Finding, ...]
    secrets: Secrets
    wanted: Wanted | None = None

    @property
    def probes(self) -> Path:
        """Where the probe writes what it sees in each process."""
        return self.staging / PROBES

    @property
    def logs(self) -> Path:
        """Where the evaluation's output is recorded."""
        return self.staging / "logs"


def choose_harness(
    argv: Sequence[str],
    name: str | None,
    results: Path | None,
    samples: tuple[Path, ...],
    fields: Fields = STANDARD,
) -> Harness:
    """Choose the adapter: the named one, the script's when its files are named, else the one that knows the command."""
    if name not in {None, "script"}:
        chosen = table.by_name(name)
        if chosen is not None:
            return chosen
    if results is None and not samples and name is None:
        recognised = table.by_argv(argv)
        if recognised is not None:
            return recognised
    return Script(results=results, samples=samples, fields=fields)


def _as_seen_from(output: Output, directory: Path) -> Output:
    """Write a place that no argument names relative to the working directory when it lies in it.

    Where it lies is then known in a re-run too, which happens in another folder.
    """
    path = Path(output.path)
    if output.argument is not None or not path.is_absolute() or not path.is_relative_to(directory):
        return output
    return msgspec.structs.replace(output, path=path.relative_to(directory).as_posix())


def _redirected() -> list[Path]:
    """Name the files that our stdout and stderr are: `slurm-123.out` in the checkout is an output like any other."""
    found: list[Path] = []
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                found.append(Path(f"/proc/self/fd/{descriptor}").resolve())
    return found


def prepare(request: Request, find_archive: Callable[[], Archive]) -> Prepared:
    """Look at everything that must be seen before the command starts.

    Raises:
        ReprokitError: there is no archive, or it cannot be written.
        OSError: the disk is full, or cannot be written.
    """
    with git.within(FINDING):
        archive = find_archive()
    staging = stage(archive, {"description": f"capture of `{Path(request.argv[0]).name}`"})
    harness = choose_harness(request.argv, request.harness, request.results, request.samples, request.fields)
    named = [_as_seen_from(output, request.directory) for output in harness.outputs(request.argv)]
    places = [request.directory / output.path for output in named]
    written = [*places, *_redirected()]
    for folder in (PROBES, "logs", "source", "scratch"):
        (staging / folder).mkdir()
    with git.within(LOOKING):
        observed, submodules, late = _look(request.directory, written, staging / "source")
        root = observed.root if isinstance(observed, ObservedSource) else None
        inputs = arguments.inputs(request.argv, directory=request.directory, outputs=named, source=root)
        inputs, findings = (inputs, ()) if late else _without_source(observed, inputs, request.directory)
    return Prepared(
        archive=archive,
        staging=staging,
        harness=harness,
        named=named,
        places=places,
        written=written,
        before=outputs.snapshot(places),
        source=observed,
        checkouts=Checkouts(
            directory=request.directory,
            first=observed,
            late=late,
            submodules=submodules,
            inputs=inputs,
            written=written,
            into=staging / "source",
            probes=staging / PROBES,
        ),
        root=root,
        inputs=inputs,
        findings=findings,
        secrets=secrets.with_argv(_known(request), request.argv),
        wanted=_wanted(request, archive),
    )


def _known(request: Request) -> Secrets:
    return secrets.with_values(secrets.collect(request.environment, request.home), request.given)


def _wanted(request: Request, archive: Archive) -> Wanted | None:
    if request.mirror is None:
        return None
    return queueing.settle(archive, request.mirror, environment=request.environment, directory=request.directory)


def _look(
    directory: Path, written: list[Path], into: Path
) -> tuple[ObservedSource | Unknown | None, tuple[ObservedSource, ...], bool]:
    """Observe the checkout, and those of its submodules that need a record of their own.

    Where git cannot, the run is captured without it, and the record says why; the last value tells that it only took
    too long.
    """
    try:
        observed = source.observe(directory, outputs=written, into=into)
    except GitError as error:
        return Unknown(unknown=error.message), (), isinstance(error, GitTimeoutError)
    if observed is None:
        return None, (), False
    used = source.with_facts(observed, used_as=[WORKING_DIRECTORY])
    first, *submodules = source.observe_submodules(used, outputs=written, into=into)
    return first, tuple(submodules), False


def with_late_source(prepared: Prepared, settled: Settled, directory: Path) -> Prepared:
    """Add the checkout of the working directory, where there was no time to look at it before the start."""
    if isinstance(prepared.source, ObservedSource) or isinstance(settled.sources, Unknown):
        return prepared
    first = next(iter(settled.sources), None)
    if first is None or WORKING_DIRECTORY not in first.source.used_as:
        return prepared
    root = first.root.resolve()
    inside = [(directory / each.path).resolve().is_relative_to(root) for each in prepared.inputs]
    inputs = [
        msgspec.structs.replace(each, inside=is_inside) for each, is_inside in zip(prepared.inputs, inside, strict=True)
    ]
    inputs, findings = _without_source(first, inputs, directory)
    findings = (*prepared.findings, *findings)
    return dataclasses.replace(prepared, source=first, root=first.root, inputs=inputs, findings=findings)


def _without_source(
    observed: ObservedSource | Unknown | None, inputs: list[Input], directory: Path
) -> tuple[list[Input], tuple[Finding, ...]]:
    """Tell which inputs, and whether all of the code, a re-run could not get from the bundle."""
    if not isinstance(observed, ObservedSource):
        return inputs, (finding("W316", "bundle.json", observed.unknown if observed else ""),)
    inside = list(dict.fromkeys(directory / each.path for each in inputs if each.inside))
    try:
        missed = source.lacking(observed, inside)
    except GitError:  # nothing is claimed that is not known
        missed = inside
    where = f"source/{observed.source.name}.json"
    kept = [msgspec.structs.replace(each, inside=False) if directory / each.path in missed else each for each in inputs]
    lost = dict.fromkeys(each.path for each in inputs if directory / each.path in missed)
    details = [f"the input `{path}`, which git ignores or which is too large" for path in lost]
    return kept, tuple(finding("W313", where, detail) for detail in details)
