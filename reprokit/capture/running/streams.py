"""How the evaluation's stdout and stderr are recorded without it noticing.

A regular file (as under SLURM) is inherited, and what was written to it during the run is read back afterwards. A
terminal becomes another terminal of the same size and settings, anything else a pipe, each with a relay behind it that
passes every byte on and writes it to a log. Where both streams lead to the same place they stay one, in the order they
were written.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import shutil
import signal
import stat
import sys
import termios
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, assert_never

from reprokit.bundle.finding import Finding, finding
from reprokit.capture.running import relay, signals
from reprokit.capture.running.signals import Held

Name: TypeAlias = Literal["stdout", "stderr"]
DESCRIPTORS: dict[Name, int] = {"stdout": 1, "stderr": 2}

_FIRST_OWN = 3
_WINDOW_SIZE = b"\0" * 8
_READ = 1 << 20
_INTERRUPT_WAKE_UP_MS = 50


@dataclass(frozen=True, kw_only=True)
class Relayed:
    """A stream with a relay behind it.

    `evaluation_end` is what the evaluation writes to, `terminal` our own handle on the terminal made for it, if one
    was; `ended` and `report` lead to and from the relay. All four are descriptors of ours.
    """

    name: Name
    kind: Literal["pipe", "terminal"]
    log: Path
    relay: int
    evaluation_end: int
    terminal: int | None
    ended: int
    report: int


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A stream that goes to a regular file: from which offset (bytes) the run wrote to it, by which descriptors."""

    name: Name
    log: Path
    start: int
    descriptors: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Joined:
    """A stderr that leads where stdout leads."""

    name: Name = "stderr"


@dataclass(frozen=True, kw_only=True)
class Unrecorded:
    """A stream that could not be set up for recording: it goes straight where it would have gone."""

    name: Name
    reason: str


Stream: TypeAlias = Relayed | Kept | Joined | Unrecorded


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What became of the streams: how each was recorded, where to, and what is not whole."""

    how: dict[str, str]
    logs: dict[str, Path]
    findings: tuple[Finding, ...]


def prepare(logs: Path) -> tuple[Stream, ...]:
    """Set up the recording of both streams into `logs`. It never fails: what cannot be recorded is passed through."""
    stdout, stderr = (_status(number) for number in DESCRIPTORS.values())
    together = stdout is not None and stderr is not None and _same_place(stdout, stderr)
    prepared: list[Stream] = []
    if stdout is not None:
        prepared.append(_prepare("stdout", stdout, logs, (1, 2) if together else (1,)))
    if together:
        first = prepared[0]
        prepared.append(Unrecorded(name="stderr", reason=first.reason) if isinstance(first, Unrecorded) else Joined())
    elif stderr is not None:
        prepared.append(_prepare("stderr", stderr, logs, (2,)))
    return tuple(prepared)


def _status(descriptor: int) -> os.stat_result | None:
    """Look at a standard stream; `None` when it is closed."""
    try:
        # A descriptor that is not inheritable was opened by this process, in the place of a stream that was closed.
        return os.fstat(descriptor) if os.get_inheritable(descriptor) else None
    except OSError:
        return None


def _same_place(one: os.stat_result, other: os.stat_result) -> bool:
    same = (one.st_dev, one.st_ino, one.st_rdev) == (other.st_dev, other.st_ino, other.st_rdev)
    # `/dev/null` keeps no order that could be lost, so the two stay apart.
    return same and (not stat.S_ISCHR(one.st_mode) or os.isatty(DESCRIPTORS["stdout"]))


def _prepare(name: Name, status: os.stat_result, logs: Path, descriptors: tuple[int, ...]) -> Stream:
    log = logs / f"{name}.log"
    try:
        if stat.S_ISREG(status.st_mode):
            start = min(_position(descriptor) for descriptor in descriptors)
            return Kept(name=name, log=log, start=start, descriptors=descriptors)
        return _relayed(name, log)
    except OSError as error:
        return Unrecorded(name=name, reason=error.strerror or str(error))


def _position(descriptor: int) -> int:
    """Give the offset up to which a file is written: its size when every write is appended."""
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND:
        return os.fstat(descriptor).st_size
    return os.lseek(descriptor, 0, os.SEEK_CUR)


def _relayed(name: Name, log: Path) -> Relayed:
    """Make a pipe or a terminal in the likeness of the stream, and start the relay behind it."""
    own: list[int] = []
    try:
        terminal = os.isatty(DESCRIPTORS[name])
        source, evaluation_end = _keep(own, _terminal_like(DESCRIPTORS[name]) if terminal else os.pipe())
        ended_there, ended = _keep(own, os.pipe())
        report, report_there = _keep(own, os.pipe())
        (log_there,) = _keep(own, (os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),))
        passed = (source, DESCRIPTORS[name], log_there, ended_there, report_there)
        process = _start_relay(passed)
    except OSError:
        _close(*own)
        raise
    _close(*(() if terminal else (source,)), ended_there, report_there, log_there)
    return Relayed(
        name=name,
        kind="terminal" if terminal else "pipe",
        log=log,
        relay=process,
        evaluation_end=evaluation_end,
        terminal=source if terminal else None,
        ended=ended,
        report=report,
    )


def _keep(own: list[int], opened: tuple[int, ...]) -> list[int]:
    """Note descriptors as ours, moved off the standard streams' numbers, where a closed stream leaves room."""
    moved = []
    for descriptor in opened:
        number = descriptor
        if descriptor < _FIRST_OWN:
            number = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_OWN)
            os.close(descriptor)
        own.append(number)
        moved.append(number)
    return moved


def _terminal_like(real: int) -> tuple[int, int]:
    """Open a terminal with the settings and the size of another, but without output processing: that one does it."""
    settings = termios.tcgetattr(real)
    master, slave = os.openpty()
    settings[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, settings)
    _copy_size(real, master)
    return master, slave


def _copy_size(real: int, terminal: int) -> None:
    with suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, fcntl.ioctl(real, termios.TIOCGWINSZ, _WINDOW_SIZE))


def _start_relay(passed: tuple[int, int, int, int, int]) -> int:
    if not sys.executable:
        raise OSError(errno.ENOENT, "this Python does not know its own program")
    destination = passed[1]
    unused = [number for number in DESCRIPTORS.values() if number != destination]
    actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, *unused)
    ]
    # A copy onto itself makes a descriptor survive the exec.
    actions += [(os.POSIX_SPAWN_DUP2, number, number) for number in passed]
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", relay.__file__, *map(str, passed)],
        os.environ,
        file_actions=actions,
        setsigmask=signal.valid_signals(),
    )


def evaluation_ends(prepared: tuple[Stream, ...]) -> dict[int, int]:
    """Give, for each standard descriptor the evaluation is not to inherit, what it gets instead."""
    ends: dict[int, int] = {}
    for stream in prepared:
        match stream:
            case Relayed():
                ends[DESCRIPTORS[stream.name]] = stream.evaluation_end
            case Joined() if 1 in ends:
                ends[2] = ends[1]
            case _:
                continue
    return ends


def hand_over(prepared: tuple[Stream, ...]) -> None:
    """Close our copies of the evaluation's ends, once it has its own: their last copy must be the evaluation's."""
    for stream in _relayed_among(prepared):
        _close(stream.evaluation_end)


def resize(prepared: tuple[Stream, ...]) -> None:
    """Give the terminals the evaluation writes to the size of the real ones."""
    for stream in _relayed_among(prepared):
        if stream.terminal is not None:
            _copy_size(DESCRIPTORS[stream.name], stream.terminal)


def abandon(prepared: tuple[Stream, ...]) -> None:
    """Undo the preparation when nothing was started: the relays end by themselves."""
    hand_over(prepared)
    for stream in _relayed_among(prepared):
        _close_ours(stream)
        _reap(stream.relay)
        stream.log.unlink(missing_ok=True)


def finish(prepared: tuple[Stream, ...], held: Held) -> Recorded:
    """Complete the logs after the evaluation is over. An interrupt cuts the waiting short."""
    relayed = tuple(_relayed_among(prepared))
    for stream in relayed:
        with suppress(BrokenPipeError):
            os.write(stream.ended, b".")
    reports = _reports(relayed, held)
    completed = {stream.name: _complete(stream, reports) for stream in prepared}
    return Recorded(
        how={name: one.how for name, one in completed.items() if one.how},
        logs={name: one.log for name, one in completed.items() if one.log and one.log.exists()},
        findings=tuple(
            finding("W314", f"process/{name}.log", one.trouble) for name, one in completed.items() if one.trouble
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Completed:
    how: str | None = None
    log: Path | None = None
    trouble: str | None = None


def _complete(stream: Stream, reports: dict[int, bytes]) -> _Completed:
    match stream:
        case Relayed():
            return _Completed(how=stream.kind, log=stream.log, trouble=_conclude(stream, reports[stream.report]))
        case Kept():
            return _Completed(how="file", log=stream.log, trouble=_read_back(stream))
        case Joined():
            return _Completed(how="with stdout")
        case Unrecorded():
            return _Completed(trouble=stream.reason)
        case _:
            assert_never(stream)


def _reports(relayed: tuple[Relayed, ...], held: Held) -> dict[int, bytes]:
    """Collect what the relays report, empty for one that says nothing."""
    reports = {stream.report: b"" for stream in relayed}
    poll = select.poll()
    for descriptor in reports:
        poll.register(descriptor, select.POLLIN)
    pending = set(reports)
    while pending and not signals.interrupted(held):
        for descriptor, _ in poll.poll(_INTERRUPT_WAKE_UP_MS):
            reports[descriptor] += (data := os.read(descriptor, relay.CHUNK))
            if not data or data.endswith(b"\n"):
                poll.unregister(descriptor)
                pending.discard(descriptor)
    return reports


def _conclude(stream: Relayed, report: bytes) -> str | None:
    """Let go of a relay, and say what its log lacks."""
    _close_ours(stream)
    state, _, trouble = report.decode().rstrip("\n").partition("\t")
    match state:
        case "whole":
            _reap(stream.relay)
            return trouble or None
        case "held":
            left = "processes that the evaluation left behind went on writing, which is passed on but not recorded"
            return f"{left}; {trouble}" if trouble else left
        case _:
            return _take_log_from_relay(stream.log)


def _take_log_from_relay(log: Path) -> str:
    """Replace a log by a copy: the relay never let go of it, and may still be writing."""
    reason = "the recording was interrupted before all output was passed on"
    copy = log.with_name(log.name + ".copy")
    try:
        shutil.copyfile(log, copy)
        copy.replace(log)
    except OSError as error:
        return f"{reason}; {error.strerror}"
    return reason


def _read_back(stream: Kept) -> str | None:
    """Copy what the run wrote to a regular file into the log, and say what the log lacks."""
    try:
        end = max(_position(descriptor) for descriptor in stream.descriptors)
        if end < stream.start or os.fstat(stream.descriptors[0]).st_size < end:
            return "the file was cut back while the evaluation ran"
        source = _open_to_read(stream.descriptors[0])
        try:
            return _copy_range(source, stream.start, end, stream.log)
        finally:
            os.close(source)
    except OSError as error:
        return f"the file it went to could not be read back: {error.strerror}"


def _open_to_read(descriptor: int) -> int:
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDWR:
        return os.dup(descriptor)
    return os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY)


def _copy_range(source: int, start: int, end: int, target: Path) -> str | None:
    with target.open("wb") as copy:
        while start < end:
            data = os.pread(source, min(_READ, end - start), start)
            if not data:
                return "the file was cut back while it was read"
            copy.write(data)
            start += len(data)
    return None


def _relayed_among(prepared: tuple[Stream, ...]) -> Iterator[Relayed]:
    return (stream for stream in prepared if isinstance(stream, Relayed))


def _reap(process: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(process, 0)


def _close_ours(stream: Relayed) -> None:
    _close(stream.ended, stream.report, *(() if stream.terminal is None else (stream.terminal,)))


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
