"""The process that holds W&B's client: started for one request, with a deadline, and ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import msgspec

from reprokit.errors import FixityError, InputMissingError, NotFoundError, RemoteError, ReprokitError
from reprokit.mirrors.interface import AwayError, Environment, Room, Step
from reprokit.mirrors.wandb import isolated, marked_processes, memory, redaction, wire, worker_environment
from reprokit.mirrors.wandb.probe import INSTALL
from reprokit.mirrors.wandb.wire import Answer, Doing, Failed, Outcome, Request

_PROGRAM = "reprokit.mirrors.wandb.client"
_CHUNK = 1 << 16
_LONGEST_ANSWER = 4 << 20
_TAIL = 4096
_LOOK = 0.25
"""Seconds after which it is seen how large the process is: from here, since it may be too busy to see that itself."""
_SHOWN = 300
_DYING = 5.0
"""Seconds that are waited for killed ones: on a file system that hangs, even that may not end them."""
_NOT_WHOLE = ("ImportError:", "ModuleNotFoundError:")
_AGAIN = "try again later; what has arrived is not sent a second time"


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is asked of the client, and with what. `key` is `None` where nothing is sent; `folders` are made anew."""

    request: Request
    environment: Environment
    address: str
    key: str | None
    room: Room


@dataclass(kw_only=True)
class _Worker:
    process: subprocess.Popen[bytes]
    mark: str
    until: float
    answered: bool = False
    heard: bytearray = field(default_factory=bytearray)
    said: bytearray = field(default_factory=bytearray)


def run(call: Call) -> Outcome:
    """Have the client do something, and give what came of it.

    Raises:
        AwayError: it was not done in time, or the process ended before it was done.
        RemoteError: W&B refuses it.
        NotFoundError: what is asked for is not there.
        FixityError: what lies here or there is not what it should be.
        InputMissingError: W&B's client cannot be used.
    """
    with _started(call) as worker:
        for answer in _answers(worker, call):
            worker.answered = True
            match answer:
                case Doing(doing=doing, octets=octets, of=of):
                    call.room.watch(Step(doing=doing, octets=octets, of=of))
                case Failed():
                    raise _failure(answer, call)
                case _:
                    return answer
        raise _ended(worker, call)


@contextmanager
def _started(call: Call) -> Iterator[_Worker]:
    mark = uuid.uuid4().hex
    # Sockets lie in it, whose names may not be long.
    passing = Path(tempfile.mkdtemp(prefix="reprokit-"))
    try:
        environment = worker_environment.made(
            call.environment, address=call.address, key=call.key, scratch=call.room.scratch, mark=mark
        )
        worker_environment.make_folders(environment)
        process = subprocess.Popen(
            isolated.words(_PROGRAM, bytecode=worker_environment.bytecode(call.environment)),
            cwd=call.room.scratch,
            env=environment | {"TMPDIR": str(passing), worker_environment.PASSING: str(passing)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield _Worker(process=process, mark=mark, until=time.monotonic() + call.room.seconds)
        finally:
            _stop(process, mark)
    finally:
        shutil.rmtree(passing, ignore_errors=True)


def _stop(process: subprocess.Popen[bytes], mark: str) -> None:
    # Nothing of it is awaited that could hang.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdin, process.stdout, process.stderr):
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=_DYING)
    marked_processes.end(mark)


def _answers(worker: _Worker, call: Call) -> Iterator[Answer]:
    """Ask, and yield what is answered, until the process ends; what it says beside that is kept for messages."""
    process = worker.process
    if process.stdin is None or process.stdout is None or process.stderr is None:
        return
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        # Apart from us: a long request does not fit into the pipe, and whoever should read it may hang.
        threading.Thread(target=_say, args=(process.stdin, wire.encode(call.request)), daemon=True).start()
        while process.stdout in {key.fileobj for key in selector.get_map().values()}:
            _require_bounds(worker, call)
            for key, _ in selector.select(min(_LOOK, max(0.0, worker.until - time.monotonic()))):
                if not (chunk := os.read(key.fd, _CHUNK)):
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stderr:
                    worker.said = (worker.said + chunk)[-_TAIL:]
                else:
                    worker.heard += chunk
            yield from _heard(worker, call)


def _require_bounds(worker: _Worker, call: Call) -> None:
    """Go on only while there is time, and while the process is no larger than any bundle makes it."""
    if time.monotonic() >= worker.until:
        raise AwayError(
            f"W&B at {call.address} did not finish within {call.room.seconds:g} s{_told(worker, call)}", hint=_AGAIN
        )
    if memory.held(worker.process.pid) > memory.MOST:
        raise RemoteError(
            f"W&B at {call.address} sends too much: more than {memory.MOST >> 20} MiB of memory were filled",
            hint="look there at what the version lists, and how large it is",
        )


def _say(stream: IO[bytes], request: bytes) -> None:
    """Write a request. The stream stays open: when it ends, the process knows that we are gone, and goes too."""
    with contextlib.suppress(OSError, ValueError):  # it ended before it had read all of it
        stream.write(request)
        stream.flush()


def _heard(worker: _Worker, call: Call) -> Iterator[Answer]:
    if len(worker.heard) > _LONGEST_ANSWER:
        raise _ended(worker, call)
    while (end := worker.heard.find(b"\n")) >= 0:
        line = bytes(worker.heard[:end])
        del worker.heard[: end + 1]
        try:
            yield wire.answer(line)
        except msgspec.DecodeError as error:
            raise _ended(worker, call) from error


def _ended(worker: _Worker, call: Call) -> ReprokitError:
    with contextlib.suppress(subprocess.TimeoutExpired):
        worker.process.wait(timeout=1.0)
    status = worker.process.returncode
    if not worker.answered and _last(worker).startswith(_NOT_WHOLE):
        return InputMissingError(f"W&B's client cannot be started{_told(worker, call)}", hint=INSTALL)
    how = "" if status is None else f" (exit status {status})"
    return AwayError(
        f"W&B's client ended before its work was done{how}{_told(worker, call)}",
        hint=_AGAIN,
    )


def _told(worker: _Worker, call: Call) -> str:
    """Give the last line that the process wrote beside its answers, if there is one."""
    return f": {_redacted(last, call)}" if (last := _last(worker)) else ""


def _last(worker: _Worker) -> str:
    lines = [each for each in worker.said.decode(errors="replace").splitlines() if each.strip()]
    return lines[-1] if lines else ""


def _redacted(text: str, call: Call) -> str:
    told = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return redaction.redacted(told, call.key)[:_SHOWN]


def _failure(failed: Failed, call: Call) -> ReprokitError:
    reason = _redacted(failed.reason, call)
    hint = redaction.redacted(failed.hint, call.key) if failed.hint else None
    match failed.trouble:
        case "away":
            return AwayError(reason, hint=hint or _AGAIN)
        case "refused":
            return RemoteError(reason, hint=hint or f"look at it on {call.address}, and at your key's rights")
        case "missing":
            return NotFoundError(reason, hint=hint or "look there for the name and its versions")
        case "fixity":
            return FixityError(reason, hint=hint or "verify both with `reprokit validate`, and try again")
        case "client":
            return InputMissingError(reason, hint=hint or INSTALL)
