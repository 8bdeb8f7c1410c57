"""Capturing a command while it runs, without ever touching it.

Whatever fails on reprokit's side, before or after the run, is kept as the outcome's `failure`: the evaluation is
started all the same, its status and its files stay its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
import shutil
import signal
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from reprokit.archive.location import Archive
from reprokit.archive.publication import BAG, Publication, publish, record_evaluation, stage
from reprokit.archive.registration import Folding, fold
from reprokit.bundle.environment import Environment
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Input, Invocation, Output, Run
from reprokit.bundle.values import Argument, Unknown
from reprokit.bundle.writing import Label
from reprokit.capture import arguments, outputs, process
from reprokit.capture.assembly import Observed, assemble, with_tree_after
from reprokit.capture.outputs import Snapshot
from reprokit.capture.process import Ended
from reprokit.errors import CannotStartError, CaptureError, ReprokitError
from reprokit.git import GitError
from reprokit.harnesses import table
from reprokit.harnesses.interface import FoundRun, Harness
from reprokit.harnesses.script import Script
from reprokit.probes import environment as environments
from reprokit.probes import interpreter, launcher, secrets, source, variables
from reprokit.probes.secrets import Secrets
from reprokit.probes.source import ObservedSource


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be run and captured.

    `environment` and `home` are the caller's, `results` and `samples` name the files of a script, `harness` an adapter
    by name; `reproduces` is the identity of the bundle that this run reproduces.
    """

    argv: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str]
    home: Path
    label: Label
    harness: str | None = None
    results: Path | None = None
    samples: tuple[Path, ...] = ()
    reproduces: str | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the evaluation ended, and what became of its capture.

    `failure` is what went wrong on reprokit's side, if anything; `places` is where the evaluation wrote its outputs.
    """

    ended: Ended
    published: tuple[Publication, ...] = ()
    folding: Folding | None = None
    failure: Exception | None = None
    places: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    """What is known before the command starts."""

    archive: Archive
    staging: Path
    harness: Harness
    named: list[Output]
    places: list[Path]
    written: list[Path]
    before: Snapshot
    source: ObservedSource | Unknown | None
    root: Path | None
    inputs: list[Input]
    findings: tuple[Finding, ...]
    secrets: Secrets

    @property
    def probes(self) -> Path:
        return self.staging / "probes"

    @property
    def logs(self) -> Path:
        return self.staging / "logs"


def choose_harness(argv: Sequence[str], name: str | None, results: Path | None, samples: tuple[Path, ...]) -> Harness:
    """Choose the adapter: the named one, the script's when its files are named, else the one that knows the command."""
    if name not in {None, "script"}:
        chosen = table.by_name(name)
        if chosen is not None:
            return chosen
    if results is None and not samples and name is None:
        recognised = table.by_argv(argv)
        if recognised is not None:
            return recognised
    return Script(results=results, samples=samples)


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


def _prepare(request: Request, find_archive: Callable[[], Archive]) -> _Prepared:
    archive = find_archive()
    staging = stage(archive, {"description": f"capture of `{Path(request.argv[0]).name}`"})
    harness = choose_harness(request.argv, request.harness, request.results, request.samples)
    named = [_as_seen_from(output, request.directory) for output in harness.outputs(request.argv)]
    places = [request.directory / output.path for output in named]
    written = [*places, *_redirected()]
    for folder in ("probes", "logs", "source", "scratch"):
        (staging / folder).mkdir()
    observed = _look(request.directory, written, staging / "source")
    root = Path(observed.source.root) if isinstance(observed, ObservedSource) else None
    inputs = arguments.inputs(request.argv, directory=request.directory, outputs=named, source=root)
    inputs, findings = _without_source(observed, inputs, request.directory)
    return _Prepared(
        archive=archive,
        staging=staging,
        harness=harness,
        named=named,
        places=places,
        written=written,
        before=outputs.snapshot(places),
        source=observed,
        root=root,
        inputs=inputs,
        findings=findings,
        secrets=secrets.with_argv(secrets.collect(request.environment, request.home), request.argv),
    )


def _invocation(request: Request, prepared: _Prepared, environment: Environment) -> Invocation:
    root = prepared.root
    program = arguments.program(
        request.argv[0],
        directory=request.directory,
        environment=request.environment,
        interpreter=environment.interpreter,
        source=root,
    )
    inside = root is not None and request.directory.resolve().is_relative_to(root.resolve())
    relative = request.directory.resolve().relative_to(root.resolve()).as_posix() if root and inside else "."
    argv = secrets.redact_argv(request.argv, prepared.secrets)
    return Invocation(
        argv=argv,
        program=program.path,
        program_in=program.lies_in,
        working_directory=str(request.directory),
        source=prepared.source.source.name if isinstance(prepared.source, ObservedSource) and inside else None,
        directory_in_source=relative,
        environment_variables=variables.observe(request.environment, prepared.secrets),
        inputs=prepared.inputs,
        outputs=[_without_secret(output, argv) for output in prepared.named],
    )


def _look(directory: Path, written: list[Path], into: Path) -> ObservedSource | Unknown | None:
    """Observe the checkout; where git cannot, the run is captured without it, and the record says why."""
    try:
        return source.observe(directory, outputs=written, into=into)
    except GitError as error:
        return Unknown(unknown=error.message)


def _without_source(
    observed: ObservedSource | Unknown | None, inputs: list[Input], directory: Path
) -> tuple[list[Input], tuple[Finding, ...]]:
    """Tell which inputs, and whether all of the code, a re-run could not get from the bundle."""
    if not isinstance(observed, ObservedSource):
        return inputs, (finding("W316", "bundle.json", observed.unknown if observed else ""),)
    kept: list[Input] = []
    findings: list[Finding] = []
    for each in inputs:
        if each.inside and not source.carries(observed.source, directory / each.path):
            kept.append(msgspec.structs.replace(each, inside=False))
            detail = f"the input `{each.path}`, which git ignores or which is too large"
            findings.append(finding("W313", f"source/{observed.source.name}.json", detail))
        else:
            kept.append(each)
    return kept, tuple(findings)


def _without_secret(output: Output, argv: list[Argument]) -> Output:
    """Forget where an output stands in an argument that holds a secret too: what is before it would tell it."""
    if output.argument is None or isinstance(argv[output.argument], str):
        return output
    return msgspec.structs.replace(output, argument=None, prefix="")


def _ending(ended: Ended) -> tuple[Finding, ...]:
    if ended.exit_code == 0:
        return ended.findings
    how = f"signal {ended.signal}" if ended.signal else f"exit status {ended.exit_code}"
    return (*ended.findings, finding("W310", "bundle.json", how))


def _look_again(directory: Path, prepared: _Prepared) -> tuple[ObservedSource, ...] | Unknown:
    """Add the tree that the checkout has now, to see whether it changed while the evaluation ran."""
    match prepared.source:
        case ObservedSource() as before:
            try:
                return (with_tree_after(before, source.tree_of(directory, outputs=prepared.written)),)
            except GitError:
                return (before,)
        case Unknown() as unknown:
            return unknown
        case None:
            return ()


def _observe(request: Request, prepared: _Prepared, ended: Ended) -> Observed:
    environment = environments.observe(prepared.probes, request.argv, request.environment, request.directory)
    return Observed(
        origin="live",
        invocation=_invocation(request, prepared, environment),
        run=Run(
            started=ended.started,
            ended=ended.ended,
            exit_code=ended.exit_code,
            signal=ended.signal,
            complete=False,
            host=platform.node(),
            launcher=launcher.observe(request.environment, prepared.secrets),
            resources=ended.resources,
            streams=ended.streams,
        ),
        environment=environment,
        sources=_look_again(request.directory, prepared),
        secrets=prepared.secrets,
        logs={name: path for name, path in (("stdout", ended.stdout), ("stderr", ended.stderr)) if path is not None},
        findings=(*prepared.findings, *_ending(ended)),
        reproduces=request.reproduces,
    )


def _runs(prepared: _Prepared) -> tuple[list[FoundRun | None], tuple[Finding, ...]]:
    found = outputs.new_runs(prepared.harness, prepared.places, prepared.before)
    if found:
        return list(found), ()
    remains, too_many = outputs.left_behind(prepared.places, prepared.before)
    return [remains], (finding("W317", "harness", f"{too_many} files"),) if too_many else ()


def _finish(request: Request, prepared: _Prepared, ended: Ended) -> tuple[tuple[Publication, ...], Folding]:
    observed = _observe(request, prepared, ended)
    published: list[Publication] = []
    runs, remarks = _runs(prepared)
    observed = dataclasses.replace(observed, findings=(*observed.findings, *remarks))
    for run in runs:
        staged = stage(prepared.archive, {"description": f"bundle of `{Path(request.argv[0]).name}`"})
        assemble(staged / BAG, observed, prepared.harness, run, request.label, scratch=prepared.staging / "scratch")
        published.append(publish(prepared.archive, staged))
    shutil.rmtree(prepared.staging, ignore_errors=True)
    return tuple(published), fold(prepared.archive)


def capture_command(
    request: Request,
    find_archive: Callable[[], Archive],
    warn: Callable[[Exception | None], None] = lambda _: None,
    *,
    last: bool = False,
) -> Outcome:
    """Run a command, its streams, signals and status untouched, and capture it as one bundle a run.

    `find_archive` is called before the command starts; should it fail, `warn` hears why, and the command runs all the
    same. With `last`, the process has nothing else to do: from the end of the command on it heeds no signal that asks
    it to end, so that it can leave with the command's status.

    Raises:
        CannotStartError: the command could not be started; nothing ran.
    """
    prepared: _Prepared | None = None
    failure: Exception | None = None
    try:
        prepared = _prepare(request, find_archive)
    except Exception as error:  # noqa: BLE001 - the evaluation is started whatever failed here; the failure is told
        failure = error
    if prepared is None:
        warn(failure)
        ended = process.run(request.argv, environment=request.environment, directory=_directory(request), logs=None)
        return Outcome(ended=ended, failure=failure, places=_places(request))
    try:
        environment = interpreter.child_environment(request.environment, prepared.probes)
        ended = process.run(
            request.argv,
            environment=environment,
            directory=_directory(request),
            logs=prepared.logs,
            started_as=partial(_note_process, prepared),
        )
    except CannotStartError:
        shutil.rmtree(prepared.staging, ignore_errors=True)
        raise
    try:
        with _undisturbed(last=last):
            published, folding = _finish(request, prepared, ended)
    except KeyboardInterrupt:
        return Outcome(ended=ended, failure=CaptureError("interrupted"), places=tuple(prepared.places))
    except Exception as error:  # noqa: BLE001 - the evaluation is over and keeps its status; the failure is told
        return Outcome(ended=ended, failure=error, places=tuple(prepared.places))
    return Outcome(ended=ended, published=published, folding=folding, places=tuple(prepared.places))


@contextmanager
def _undisturbed(*, last: bool) -> Iterator[None]:
    """Let no request to end, such as a scheduler sends to every process of a job, cut the last seconds short.

    An interrupt from the keyboard still does. With `last`, none is heeded afterwards either, that one included.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        if last:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        else:
            for number, handler in before.items():
                signal.signal(number, handler)


def _note_process(prepared: _Prepared, pid: int) -> None:
    # Should reprokit be killed, the evaluation still writes into the staging folder: nobody may clear it away then.
    with contextlib.suppress(ReprokitError, OSError):
        record_evaluation(prepared.archive, prepared.staging, pid)


def _directory(request: Request) -> Path | None:
    # Entering the directory that we are in is not always possible: it may be gone, or not be searchable.
    try:
        return None if request.directory == Path.cwd() else request.directory
    except OSError:
        return None


def _places(request: Request) -> tuple[Path, ...]:
    try:
        harness = choose_harness(request.argv, request.harness, request.results, request.samples)
        return tuple(request.directory / output.path for output in harness.outputs(request.argv))
    except Exception:  # noqa: BLE001 - only a hint is at stake
        return ()
