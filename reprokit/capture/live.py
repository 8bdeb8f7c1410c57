"""Capturing a command while it runs, without ever touching it.

Whatever fails on reprokit's side, before or after the run, is kept as the outcome's `failure`: the evaluation is
started all the same, its status and its files stay its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import platform
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from reprokit.archive.location import Archive
from reprokit.archive.publication import BAG, Publication, publish, record_evaluation, stage
from reprokit.archive.registration import Folding, fold
from reprokit.bundle.environment import Environment
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Invocation, Output, Run
from reprokit.bundle.values import Argument, Unknown
from reprokit.capture import arguments, outputs, process
from reprokit.capture.assembly import Observed, assemble, with_tree_after
from reprokit.capture.preparation import Prepared, choose_harness, prepare
from reprokit.capture.process import Ended
from reprokit.capture.request import Outcome, Request
from reprokit.errors import CannotStartError, CaptureError, ReprokitError
from reprokit.git import GitError
from reprokit.harnesses.interface import FoundRun
from reprokit.probes import environment as environments
from reprokit.probes import interpreter, launcher, secrets, source, variables
from reprokit.probes.source import ObservedSource


def _invocation(request: Request, prepared: Prepared, environment: Environment) -> Invocation:
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


def _look_again(directory: Path, prepared: Prepared) -> tuple[ObservedSource, ...] | Unknown:
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


def _observe(request: Request, prepared: Prepared, ended: Ended) -> Observed:
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


def _runs(prepared: Prepared) -> tuple[list[FoundRun | None], tuple[Finding, ...]]:
    found = outputs.new_runs(prepared.harness, prepared.places, prepared.before)
    if found:
        return list(found), ()
    remains, too_many = outputs.left_behind(prepared.places, prepared.before)
    return [remains], (finding("W317", "harness", f"{too_many} files"),) if too_many else ()


def _finish(request: Request, prepared: Prepared, ended: Ended) -> tuple[tuple[Publication, ...], Folding]:
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
    prepared: Prepared | None = None
    failure: Exception | None = None
    try:
        prepared = prepare(request, find_archive)
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


def _note_process(prepared: Prepared, pid: int) -> None:
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
