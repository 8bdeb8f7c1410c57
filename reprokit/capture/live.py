"""Capturing a command while it runs, without ever touching it.

Whatever fails on reprokit's side, before or after the run, is kept as the outcome's `failure`: the evaluation is
started all the same, its status and its files stay its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from reprokit.archive.location import Archive
from reprokit.archive.publication import BAG, BEGUN, Publication, publish, record_evaluation, remove, stage
from reprokit.archive.registration import DEFERRED, Folding, fold
from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Invocation, Run
from reprokit.capture import invocation
from reprokit.capture.assembly import Called, Observed, assemble
from reprokit.capture.interrupted import unfinished
from reprokit.capture.launched import runs_of, told_by_launcher
from reprokit.capture.preparation import Prepared, choose_harness, prepare, with_late_source
from reprokit.capture.request import Outcome, Request
from reprokit.capture.running import process, stopping
from reprokit.capture.running.process import Ended
from reprokit.capture.running.undisturbed import Quiet, undisturbed
from reprokit.capture.wheels import collect
from reprokit.errors import CannotStartError, CaptureError, ReprokitError
from reprokit.harnesses.script import Script
from reprokit.outbox import queueing
from reprokit.probes import environment as environments
from reprokit.probes import interpreter, launcher, secrets
from reprokit.probes.interpreter import media
from reprokit.probes.subject import Digester, Limits

_READING_WHEN_PRESSED = 2.0
"""Seconds."""


def _invocation(request: Request, prepared: Prepared, environment: Environment) -> Invocation:
    seen = invocation.observe(request, prepared, environment)
    outputs = [unfinished.without_secret(output, seen.argv) for output in prepared.named]
    return msgspec.structs.replace(seen, outputs=outputs)


def _observe(request: Request, prepared: Prepared, ended: Ended) -> Observed:
    environment = environments.observe(prepared.probes, request.argv, request.environment, request.directory)
    told = told_by_launcher(interpreter.read(prepared.probes))
    pressed = stopping.is_pressed(ended)
    settled = prepared.checkouts.settle(environment, prepared.inputs)
    prepared = with_late_source(prepared, settled, request.directory)
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
            launcher=launcher.observe({**told, **request.environment}, prepared.secrets),
            resources=ended.resources,
            streams=ended.streams,
        ),
        environment=environment,
        sources=settled.sources,
        secrets=prepared.secrets,
        logs={name: path for name, path in (("stdout", ended.stdout), ("stderr", ended.stderr)) if path is not None},
        findings=(*prepared.findings, *settled.findings, *stopping.ending(ended, request.environment)),
        called=_called(request, pressed=pressed),
        doubtful=stopping.was_stopped(ended) and isinstance(prepared.harness, Script),
        private=request.private,
        media=partial(
            media.read, prepared.probes, directory=request.directory, may_read=0 if pressed else media.MOST_READ
        ),
        reproduces=request.reproduces,
    )


def _called(request: Request, *, pressed: bool) -> Called:
    """Say how the run was called; where time presses, little of it may go into reading models and data."""
    limits = Limits(seconds_reading=_READING_WHEN_PRESSED) if pressed else Limits()
    return Called(
        argv=request.argv,
        directory=request.directory,
        environ=request.environment,
        home=request.home,
        digester=Digester(limits),
    )


def _with_secrets_of_processes(prepared: Prepared) -> Prepared:
    """Add the secrets of every command line that the evaluation started: a shell script may hold the key."""
    known = prepared.secrets
    for argv in dict.fromkeys(each.argv for each in interpreter.read(prepared.probes)):
        known = secrets.with_argv(known, argv)
    return dataclasses.replace(prepared, secrets=known)


def _with_wheels(request: Request, prepared: Prepared, observed: Observed, ended: Ended, quiet: Quiet) -> Observed:
    """Add the wheels of the environment, where they are wanted; somebody who presses gets none."""
    if not request.wheels:
        return observed
    fetched = collect(
        observed.environment,
        prepared.staging / "wheels",
        environ=request.environment,
        stopped=lambda: stopping.is_pressed(ended) or quiet.asked(),
    )
    return dataclasses.replace(observed, wheels=fetched.files, findings=(*observed.findings, *fetched.findings))


def _publish(request: Request, prepared: Prepared, ended: Ended, quiet: Quiet) -> tuple[Publication, ...]:
    prepared = _with_secrets_of_processes(prepared)
    runs, remarks = runs_of(prepared, request.directory)
    observed = _with_wheels(request, prepared, _observe(request, prepared, ended), ended, quiet)
    published: list[Publication] = []
    sealed: dict[str, str] = {}
    observed = dataclasses.replace(observed, findings=(*observed.findings, *remarks))
    for harness, run in runs:
        staged = stage(prepared.archive, {"description": f"bundle of `{Path(request.argv[0]).name}`"})
        made = assemble(staged / BAG, observed, harness, run, request.label, scratch=prepared.staging / "scratch")
        sealed[unfinished.run_key(run)] = made.bundle_id
        with contextlib.suppress(Exception):
            unfinished.note_sealed(prepared.archive, prepared.staging, sealed)
        published.append(publish(prepared.archive, staged))
    remove(prepared.staging)
    return tuple(published)


def _register(
    request: Request, prepared: Prepared, ended: Ended, published: tuple[Publication, ...], quiet: Quiet
) -> Folding:
    """Register what was published, unless it was asked to be left, or time presses.

    Registering reads each bundle once more and runs git, whose lock would be left behind by a kill.
    """
    ids = tuple(publication.bundle_id for publication in published if publication.new)
    if request.defer:
        return Folding(left=ids, reason=DEFERRED, deferred=True)
    if stopping.is_pressed(ended) or quiet.asked():
        return Folding(left=ids, reason="it was asked to stop")
    try:
        return fold(prepared.archive)
    except KeyboardInterrupt:
        return Folding(left=ids, reason="it was interrupted")
    except Exception as error:  # noqa: BLE001 - what is published is captured; the next command registers it
        return Folding(left=ids, reason=str(error))


def capture_command(
    request: Request,
    find_archive: Callable[[], Archive],
    warn: Callable[[Exception | None], None] = lambda _: None,
    *,
    last: bool = False,
    warn_of_mirror: Callable[[Exception], None] = lambda _: None,
) -> Outcome:
    """Run a command, its streams, signals and status untouched, and capture it as one bundle a run.

    `find_archive` is called before the command starts; should it fail, `warn` hears why, and the command runs all the
    same. `warn_of_mirror` hears why its bundle cannot be queued for the mirror that it should be. With `last`, the
    process has nothing else to do: from the end of the command on it heeds no signal that asks it to end, so that
    it can leave with the command's status.

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
    if prepared.wanted is not None and prepared.wanted.failure is not None:
        warn_of_mirror(prepared.wanted.failure)
    with undisturbed(last=last) as quiet:
        try:
            return _run_and_capture(request, prepared, quiet)
        finally:
            prepared.checkouts.stop()


def _run_and_capture(request: Request, prepared: Prepared, quiet: Quiet) -> Outcome:
    with contextlib.suppress(Exception):  # it is for a case that may never come
        unfinished.note_begun(request, prepared)

    def has_started(pid: int) -> None:
        quiet.begin()
        _note_process(prepared, pid)

    try:
        environment = interpreter.child_environment(request.environment, prepared.probes)
        ended = process.run(
            request.argv,
            environment=environment,
            directory=_directory(request),
            logs=prepared.logs,
            started_as=has_started,
        )
    except CannotStartError:
        remove(prepared.staging)
        raise
    quiet.hold()
    try:
        with contextlib.suppress(Exception):
            unfinished.note_over(prepared, ended)
        published = _publish(request, prepared, ended, quiet)
    except KeyboardInterrupt:
        return _failed(prepared, ended, CaptureError("interrupted"))
    except Exception as error:  # noqa: BLE001 - the evaluation is over and keeps its status; the failure is told
        return _failed(prepared, ended, error)
    queued = queueing.queue(prepared.archive, prepared.wanted, [each.bundle_id for each in published])
    folding = _register(request, prepared, ended, published, quiet)
    return Outcome(ended=ended, published=published, folding=folding, queued=queued, places=tuple(prepared.places))


def _failed(prepared: Prepared, ended: Ended, failure: Exception) -> Outcome:
    kept = (prepared.staging / BEGUN).exists()
    return Outcome(ended=ended, failure=failure, places=tuple(prepared.places), unfinished=kept)


def _note_process(prepared: Prepared, pid: int) -> None:
    # Should reprokit be killed, the evaluation still writes into the staging folder: nobody may clear it away then.
    with contextlib.suppress(ReprokitError, OSError):
        record_evaluation(prepared.archive, prepared.staging, pid)
    prepared.checkouts.watch()


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
