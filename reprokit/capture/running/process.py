"""Running the evaluation as if nobody watched: its streams, signals and exit status are its own.

The command stays in our process group and session, gets our stdin, and is started with exactly the environment and
directory it is given. Its output passes through relays that outlive us, so killing reprokit never harms it.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NoReturn

from reprokit import clock
from reprokit.bundle.finding import Finding
from reprokit.capture.running import launch, signals, streams
from reprokit.capture.running.signals import Held, StopRequest

_MEMORY_UNIT = 1 if sys.platform == "darwin" else 1024
_SHELL_SIGNAL_BASE = 128


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command ended, and what was recorded of it.

    `exit_code` is `None` when a signal ended it, whose name is in `signal` then. `started` and `ended` are UTC.
    `streams` says how stdout and stderr were recorded (as in `Run.streams`); `stdout` and `stderr` are their logs,
    where there are any. `resources` holds user_seconds, system_seconds and peak_memory_bytes of the command and the
    descendants it waited for; the last is left out of a command that needed less memory than we do, because the kernel
    counts ours as its own up to its exec. `asked` are the signals that asked it to end while it ran.
    """

    exit_code: int | None
    signal: str | None
    started: str
    ended: str
    streams: dict[str, str] = field(default_factory=dict)
    stdout: Path | None = None
    stderr: Path | None = None
    resources: dict[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    asked: tuple[StopRequest, ...] = ()


def run(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: Path | None,
    logs: Path | None,
    started_as: Callable[[int], None] = lambda _: None,
) -> Ended:
    """Run a command to its end and record its streams into the folder `logs`; without one, record nothing.

    `started_as` is told the process id once the command runs; it must not raise.

    To be called in the main thread: signals that arrive while the command runs are its own, and are passed on to it.
    Once it is over, an interrupt cuts short the wait for what is left in its streams; the signal mask is restored
    before this returns.

    Raises:
        CannotStartError: the command could not be executed; nothing ran.
    """
    held = signals.hold()
    try:
        prepared = streams.prepare(logs) if logs is not None else ()
        started, child = _start(argv, environment, directory, prepared, held)
        started_as(child)
        over = signals.wait_for(child, held, partial(streams.resize, prepared))
        ended = clock.text(clock.now())
        recorded = streams.finish(prepared, held)
    finally:
        signals.release(held)
    return Ended(
        exit_code=os.WEXITSTATUS(over.status) if os.WIFEXITED(over.status) else None,
        signal=signals.name_of(os.WTERMSIG(over.status)) if os.WIFSIGNALED(over.status) else None,
        started=started,
        ended=ended,
        streams=recorded.how,
        stdout=recorded.logs.get("stdout"),
        stderr=recorded.logs.get("stderr"),
        resources=_resources(over.usage),
        findings=recorded.findings,
        asked=over.asked,
    )


def _start(
    argv: Sequence[str],
    environment: Mapping[str, str],
    directory: Path | None,
    prepared: tuple[streams.Stream, ...],
    held: Held,
) -> tuple[str, int]:
    try:
        # Whoever interrupts before anything runs means us.
        signals.let_through(held)
        started = clock.text(clock.now())
        child = launch.spawn(
            argv,
            environment=environment,
            directory=directory,
            descriptors=streams.evaluation_ends(prepared),
            mask=held.before,
        )
    except BaseException:
        streams.abandon(prepared)
        raise
    streams.hand_over(prepared)
    return started, child


def _resources(usage: resource.struct_rusage) -> dict[str, float]:
    resources = {"user_seconds": usage.ru_utime, "system_seconds": usage.ru_stime}
    if usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        resources["peak_memory_bytes"] = float(usage.ru_maxrss * _MEMORY_UNIT)
    return resources


def exit_like(ended: Ended) -> NoReturn:
    """Leave with the command's own status: its exit code, or death by the same signal, without a core dump."""
    _flush("stdout")
    _flush("stderr")
    if ended.signal is not None:
        _die_by(signals.number_of(ended.signal))
    raise SystemExit(ended.exit_code)


def _flush(name: str) -> None:
    stream = getattr(sys, name)
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        # Left in place, it would be flushed again at exit, and Python would leave with status 120.
        setattr(sys, name, None)


def _die_by(number: int) -> NoReturn:
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    with suppress(OSError):  # SIGKILL has no other action that would have to be taken back
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    # The first process of a container survives its own signals; this is what a shell would say.
    os._exit(_SHELL_SIGNAL_BASE + number)
