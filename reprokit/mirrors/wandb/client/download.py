"""Bringing files here, each compared with its MD5 and size while it arrives; nothing is taken from any cache."""

from __future__ import annotations

import hashlib
import os
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from reprokit.errors import FixityError
from reprokit.mirrors.interface import AwayError
from reprokit.mirrors.wandb import web
from reprokit.mirrors.wandb.client import failures
from reprokit.mirrors.wandb.client.voice import Voice
from reprokit.mirrors.wandb.wire import Sent

_AT_ONCE = 8
_CHUNK = 1 << 18
_SILENCE = 30.0
"""Seconds after which a server that says nothing is given up."""
_PAUSES = (0.3, 1.0)
_SPAN = 60.0
_LEAST = 60_000
"""Bytes that a file must bring in each such span of seconds: one that dribbles is given up."""
_MOST_WRONG = 20
"""So many files that are not what they should be, and nothing more is asked for."""
_NOT_GIVEN = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}


class _WrongError(Exception):
    """What arrived is not what was listed."""


class _SlowError(TimeoutError):
    """A file dribbles."""


class _StoppedError(Exception):
    """Another file failed: nobody waits for this one any more."""


class _NotGivenError(Exception):
    """An address does not lead to a file, or no more."""


@dataclass(kw_only=True)
class Download:
    """Brings the files of a version into an empty folder. `base` is the address of the server.

    `piecemeal` is for whoever has a use for some of the files.
    """

    base: str
    version: Any
    folder: Path
    octets: int
    voice: Voice
    piecemeal: bool
    _openers: dict[str, urllib.request.OpenerDirector] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _wrong: list[FixityError] = field(default_factory=list)

    def bring(self, files: Mapping[str, Sent], addresses: Mapping[str, str]) -> None:
        """Bring all files; `addresses` say where each is to be had, as far as the server tells.

        Raises:
            FixityError: a file arrives otherwise than it is listed, or not at all. Only piecemeal is it told when the
                others have arrived, and not at once; then, too, not when there are many such files.
            AwayError: the server does not give it now.
        """
        waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        for path in sorted(files):
            waiting.put(path)
        ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

        def work() -> None:
            try:
                while not self._stop.is_set():
                    path = waiting.get_nowait()
                    self._bring_if_right(path, files[path], addresses.get(path))
            except queue.Empty:
                ended.put(None)
            except BaseException as error:  # noqa: BLE001 - whoever waits is told, and raises it
                ended.put(error)

        # Threads that nobody waits for: the first failure is told at once, whatever else is under way.
        workers = [threading.Thread(target=work, daemon=True) for _ in range(min(_AT_ONCE, len(files)))]
        for each in workers:
            each.start()
        try:
            _raise_first(ended, len(workers))
        finally:
            self._stop.set()
        if self._wrong:
            more = f", and {len(self._wrong) - 1} more files are not as they should be" if len(self._wrong) > 1 else ""
            raise FixityError(f"{self._wrong[0].message}{more}")

    def _bring_if_right(self, path: str, wanted: Sent, address: str | None) -> None:
        """Bring one file, or remember what is wrong with it: the others may be good, and all that is left of them."""
        try:
            self._bring(path, wanted, address)
        except FixityError as error:
            self._wrong.append(error)
            if not self.piecemeal or len(self._wrong) >= _MOST_WRONG:
                raise

    def _bring(self, path: str, wanted: Sent, address: str | None) -> None:
        """Bring one file; what goes wrong on the way is tried again."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        pauses = iter(_PAUSES)
        while True:
            try:
                self._attempt(path, target, wanted, address)
            except (_WrongError, *web.TROUBLES) as error:
                target.unlink(missing_ok=True)
                pause = None if isinstance(error, _SlowError) else next(pauses, None)
                if pause is None:
                    raise _given_up(path, error) from error
                self._stop.wait(pause)
            except _NotGivenError:
                # An address may have been valid for some minutes only: then the client asks with the key.
                target.unlink(missing_ok=True)
                self._ask(path, target, wanted)
                return
            else:
                return

    def _attempt(self, path: str, target: Path, wanted: Sent, address: str | None) -> None:
        if not address:
            raise _NotGivenError
        url = urljoin(f"{self.base}/", address)
        if urlsplit(url).scheme not in {"http", "https"}:
            raise FixityError(f"W&B says that `{path}` is to be had at an address that is no page")
        try:
            with self._opener(url).open(url, timeout=_SILENCE) as source:
                self._write(target, wanted, _chunks(source))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in _NOT_GIVEN:
                raise _NotGivenError from error
            raise

    def _write(self, target: Path, wanted: Sent, chunks: Iterator[bytes]) -> None:
        """Write what arrives, never more than is listed, and compare it."""
        digest, size = hashlib.md5(usedforsecurity=False), 0
        with target.open("xb") as sink:
            for chunk in chunks:
                if self._stop.is_set():
                    raise _StoppedError
                size += len(chunk)
                if size > wanted.size:
                    raise _WrongError("it is longer than it is listed")
                digest.update(chunk)
                sink.write(chunk)
                self.voice.more("fetching", len(chunk), self.octets)
        if size < wanted.size:
            raise _WrongError(f"it is {size} bytes long, and {wanted.size} are listed")
        if digest.hexdigest() != wanted.md5:
            raise _WrongError("its bytes are others than listed")

    def _ask(self, path: str, target: Path, wanted: Sent) -> None:
        """Let W&B's client bring a file, and compare it then."""
        try:
            self.version.get_entry(path).download(root=str(self.folder), skip_cache=True)
        except Exception as error:
            status = failures.status(error)
            if status in _NOT_GIVEN:
                raise FixityError(f"W&B lists `{path}`, and does not give it (HTTP {status})") from error
            raise
        try:
            with target.open("rb") as source:
                digest = hashlib.file_digest(source, "md5").hexdigest()
                size = os.fstat(source.fileno()).st_size
        except OSError as error:
            raise FixityError(f"W&B lists `{path}`, and does not give it") from error
        if (digest, size) != (wanted.md5, wanted.size):
            raise FixityError(f"`{path}` arrived from W&B otherwise than it is listed there")

    def _opener(self, url: str) -> urllib.request.OpenerDirector:
        """Give what opens addresses of this host. No key is sent along: such addresses hold their own permission."""
        host = urlsplit(url).netloc
        with self._lock:
            if host not in self._openers:
                self._openers[host] = web.opener(url, os.environ, redirects=True)
            return self._openers[host]


def _raise_first(ended: queue.SimpleQueue[BaseException | None], workers: int) -> None:
    """Wait until so many have ended, or one has failed."""
    for _ in range(workers):
        if (failure := ended.get()) is not None:
            raise failure


def _chunks(source: Any) -> Iterator[bytes]:
    since, brought = time.monotonic(), 0
    # `read1`: what has come is taken, however little it is, so that time can be kept.
    while chunk := source.read1(_CHUNK):
        yield chunk
        brought += len(chunk)
        if (now := time.monotonic()) - since > _SPAN:
            if brought < _LEAST:
                raise _SlowError("it comes too slowly")
            since, brought = now, 0
    if source.length:
        raise ConnectionError("the connection broke off")


def _given_up(path: str, error: Exception) -> Exception:
    if isinstance(error, _WrongError):
        return FixityError(f"`{path}` arrives from W&B otherwise than it is listed there: {error}")
    status = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else failures.brief(error)
    return AwayError(f"W&B does not give `{path}` now: {status}")
