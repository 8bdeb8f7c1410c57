"""A remote that is reached through DVC, in a process of its own with a deadline on its silence."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from reprokit.archive.layout import Archive
from reprokit.errors import InputMissingError, RemoteError, ReprokitError, UsageError
from reprokit.package_indexes import how_to_install
from reprokit.sync.remotes import wire
from reprokit.sync.remotes.configuration import Remote
from reprokit.sync.remotes.dvc_settings import LOCAL
from reprokit.sync.remotes.objects import Destination
from reprokit.sync.remotes.wire import (
    Answer,
    Done,
    Enumerate,
    Enumerated,
    Failed,
    Fetch,
    Finished,
    Measure,
    Moved,
    Open,
    Opened,
    Request,
    Send,
)

_PROGRAM = "reprokit.sync.remotes.dvc_program"
_FIRST_WORD = 60.0  # seconds: importing dvc and reaching the remote
_CHUNK = 1 << 16
# Other makers' S3 servers know the digests that newer clients want by default only in part; ours are compared anyway.
_SETTINGS = {
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
}
_FIXED = {"DVC_NO_ANALYTICS": "1"}
_EXTRAS = {
    "webdavs": "webdav",
    **dict.fromkeys(("ssh", "s3", "webdav", "gs", "azure", "oss", "hdfs", "webhdfs", "gdrive"), ""),
}
_CHECKS = {
    "ssh": "see that `ssh` reaches that host without asking for anything (key, host name, port, VPN)",
    "s3": "check the bucket, `endpointurl`, and the credentials (`dvc remote modify --local`, or AWS_…)",
    "webdav": "check the address, and user and password (`dvc remote modify --local`)",
}
_CHECK = "check its address and credentials in `.dvc/config` and `.dvc/config.local`"


@dataclass(kw_only=True)
class Carrier:
    """A running program that carries objects. `patience` is in seconds of silence; `opened` is what it found."""

    remote: Remote
    process: subprocess.Popen[bytes]
    patience: float
    opened: Opened | None = None
    heard: bytearray = field(default_factory=bytearray)

    @property
    def present(self) -> bool:
        """Whether the place that the remote names is known to be missing (then false)."""
        return self.opened is None or self.opened.present is not False

    def sizes(self, names: Collection[str]) -> dict[str, int | None]:
        """Look up objects."""
        answers = _ask(self, Measure(objects=list(names)), self.patience)
        return {each.object: each.size for each in answers if isinstance(each, Finished)}

    def send(self, files: Mapping[str, Path]) -> Iterator[Moved | Finished]:
        """Put files on the remote."""
        if not self.present and self.opened is not None and not self.opened.makes_folders:
            raise RemoteError(f"{_named(self.remote)} is not there", hint=f"make it first, or {_check(self.remote)}")
        return _moves(_ask(self, Send(files={name: str(path) for name, path in files.items()}), self.patience))

    def fetch(self, wanted: Mapping[str, Destination]) -> Iterator[Moved | Finished]:
        """Get objects."""
        files = {name: str(each.path) for name, each in wanted.items()}
        most = {name: each.most for name, each in wanted.items()}
        return _moves(_ask(self, Fetch(files=files, most=most), self.patience))

    def listings(self) -> dict[str, int]:
        """Name the listings."""
        found: dict[str, int] = {}
        for each in _ask(self, Enumerate(), self.patience):
            if isinstance(each, Enumerated):
                found |= {name: size for name, size in each.listings.items() if wire.LISTING.fullmatch(name)}
        return found


@contextmanager
def carry(archive: Archive, remote: Remote, *, patience: float) -> Iterator[Carrier]:
    """Start the program and reach the remote; it ends with the block.

    Raises:
        RemoteError: the remote cannot be reached.
        InputMissingError: dvc is not installed here, or not for this kind of remote.
        UsageError: DVC does not accept its configuration, or as DVC reads it a stranger's program would be started.
    """
    process = subprocess.Popen(
        # `-P`: what lies in the working directory is nobody's to import.
        [sys.executable, "-P", "-m", _PROGRAM],
        env=_SETTINGS | os.environ | _FIXED,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    carrier = Carrier(remote=remote, process=process, patience=patience)
    try:
        request = Open(root=str(archive.root), name=remote.name)
        for answer in _ask(carrier, request, min(patience, _FIRST_WORD)):
            if isinstance(answer, Opened):
                carrier.opened = answer
        yield carrier
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    # With the programs that a transport may have started; nothing of it is awaited that could hang.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()
    process.wait()


def _moves(answers: Iterator[Answer]) -> Iterator[Moved | Finished]:
    for answer in answers:
        if isinstance(answer, Moved | Finished):
            yield answer


def _ask(carrier: Carrier, request: Request, patience: float) -> Iterator[Answer]:
    """Ask for something, and yield what is answered until it is done."""
    stdin = carrier.process.stdin
    if stdin is None:
        return
    try:
        stdin.write(wire.encode(request))
        stdin.flush()
    except OSError as error:
        raise _ended(carrier) from error
    while True:
        match answer := _next(carrier, patience):
            case Done():
                return
            case Failed(trouble=trouble, reason=reason):
                raise _failure(carrier.remote, trouble, reason)
            case _:
                yield answer


def _next(carrier: Carrier, patience: float) -> Answer:
    """Wait for the next line of the program."""
    until = time.monotonic() + patience
    stdout = carrier.process.stdout
    if stdout is None:
        raise _ended(carrier)
    while (end := carrier.heard.find(b"\n")) < 0:
        ready, _, _ = select.select([stdout], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            raise RemoteError(
                f"{_named(carrier.remote)} gave no answer for {patience:g} s",
                hint=f"{_check(carrier.remote)}; where it is only slow, allow more with `--timeout`",
            )
        if not (chunk := os.read(stdout.fileno(), _CHUNK)):
            raise _ended(carrier)
        carrier.heard += chunk
    line = bytes(carrier.heard[:end])
    del carrier.heard[: end + 1]
    try:
        return wire.answer(line)
    except msgspec.DecodeError as error:
        raise _ended(carrier) from error


def _ended(carrier: Carrier) -> RemoteError:
    return RemoteError(
        f"the program that talks to {_named(carrier.remote)} ended before its work was done",
        hint="try again; what has arrived is not sent a second time",
    )


def _named(remote: Remote) -> str:
    return f"the remote `{remote.name}` ({remote.address})"


def _check(remote: Remote) -> str:
    return _CHECKS.get(_EXTRAS.get(remote.scheme) or remote.scheme, _CHECK)


def _failure(remote: Remote, trouble: wire.Trouble, reason: str) -> ReprokitError:
    match trouble:
        case "dvc":
            return InputMissingError(
                f"{_named(remote)} is reached through DVC, which is not installed beside reprokit",
                hint=_install(remote),
            )
        case "extra":
            return InputMissingError(
                f"DVC is here without its part for `{remote.scheme}` remotes, which `{remote.name}` needs",
                hint=_install(remote),
            )
        case "configuration":
            return UsageError(
                f"DVC cannot use {_named(remote)}: {reason}", hint="mend it with `dvc remote modify` in the archive"
            )
        case "program":
            return UsageError(
                f"{_named(remote)} is not used: {reason}",
                hint=f"if you trust it, move it to your own `.dvc/{LOCAL}`, which git must not track",
            )
        case "remote":
            return RemoteError(f"{_named(remote)} cannot be used: {reason}", hint=_check(remote))


def _install(remote: Remote) -> str:
    extra = _EXTRAS.get(remote.scheme)
    if extra is None:
        return how_to_install("dvc")
    part = f"dvc[{extra or remote.scheme}]"
    return f"{how_to_install('dvc', beside=part)}, or `pip install '{part}'` where reprokit is"
