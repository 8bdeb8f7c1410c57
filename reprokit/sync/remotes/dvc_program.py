"""The program that carries objects to and from a DVC remote: the one place that imports dvc.

It is a process of its own, since DVC takes a second to import, prints, asks for passwords and may hang. It reads
requests from its standard input and answers on its standard output (see `wire`); what DVC itself reads and writes there
is nobody's. It ends when its requests do, in the midst of a transfer too.

Of DVC it uses the configuration and the file system that this leads to; no repository is opened, so nothing is locked
or written in the archive, and an object is never handed to code of DVC's that would delete it.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any, BinaryIO
from urllib.parse import urlparse

from reprokit import git_address, talk
from reprokit.archive.layout import Archive
from reprokit.sync.remotes import wire
from reprokit.sync.remotes.dvc_settings import HARMLESS, local_is_brought
from reprokit.sync.remotes.wire import (
    Answer,
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

_JOBS = 8
_PAUSE = 0.2  # seconds between two words on how far it is
_PART = 16 << 20  # bytes; a larger object is sent to S3 in parts, so that a word is heard after each
_LONGEST_REASON = 300
_PARTS = ("files", "md5")
_BUCKETS = {"s3", "gs", "azure", "oss"}
_WEBDAV = {"webdav", "webdavs"}
_PAGES = {"http", "https"}
_CARRIED = _BUCKETS | _WEBDAV | _PAGES | {"ssh", "hdfs", "webhdfs", "gdrive"}
_HIDDEN = re.compile(r"key|secret|password|passphrase|token|credential|connection|sas|auth", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9a-f]{2}")
_NOTICED = 4  # a secret shorter than this would be found in every word


@dataclass(frozen=True, kw_only=True)
class _Remote:
    """An open remote: DVC's file system, the folder of its objects in it, and what must never be told of it."""

    files: Any
    folder: str
    jobs: int
    secrets: tuple[str, ...]

    def place(self, name: str) -> str:
        return str(self.files.join(self.folder, *_PARTS, name[:2], name[2:]))


class _TroubleError(Exception):
    def __init__(self, trouble: wire.Trouble, reason: str) -> None:
        super().__init__(reason)
        self.trouble = trouble


class _TooLongError(Exception):
    pass


@dataclass(kw_only=True)
class _Voice:
    """Says one thing at a time, and how many bytes were moved no more often than is of use."""

    stream: BinaryIO
    lock: threading.Lock = field(default_factory=threading.Lock)
    unsaid: int = 0
    last: float = 0.0

    def say(self, answer: Answer) -> None:
        with self.lock:
            self._write(answer)

    def moved(self, octets: int) -> None:
        with self.lock:
            self.unsaid += octets
            if time.monotonic() - self.last >= _PAUSE:
                self._write(Moved(octets=self.unsaid))
                self.unsaid, self.last = 0, time.monotonic()

    def _write(self, answer: Answer) -> None:
        self.stream.write(wire.encode(answer))
        self.stream.flush()


def _open(asked: Open) -> tuple[_Remote, Opened]:
    try:
        from dvc.config import Config  # type: ignore[import-untyped]  # noqa: PLC0415 - a second, and DVC has no types
        from dvc.fs import get_cloud_fs  # type: ignore[import-untyped]  # noqa: PLC0415 - as above
    except ImportError as error:
        raise _TroubleError("dvc", str(error)) from error
    try:
        config = Config(dvc_dir=str(Path(asked.root, ".dvc")))
        refused = _program(config, asked)
        kind, settings, folder = (None, {}, "") if refused else get_cloud_fs(config, name=asked.name)
    except ImportError as error:
        raise _TroubleError("extra", str(error)) from error
    except Exception as error:  # DVC has many ways to refuse a configuration
        raise _TroubleError("configuration", _reason(error, ())) from error
    if refused:
        raise _TroubleError("program", refused)
    _require_objects(kind, settings)
    secrets = tuple(
        value for name, value in settings.items() if isinstance(value, str) and value and _HIDDEN.search(name)
    )
    try:
        files = kind(**settings)
        remote = _Remote(files=files, folder=folder, jobs=min(int(files.jobs), _JOBS), secrets=secrets)
        makes_folders = kind.protocol not in _BUCKETS | _WEBDAV
        return remote, Opened(present=_present(remote, kind.protocol), makes_folders=makes_folders)
    except ImportError as error:
        raise _TroubleError("extra", str(error)) from error
    except Exception as error:  # whatever a transport makes of a failure
        trouble: wire.Trouble = "extra" if type(error).__name__ == "RemoteMissingDepsError" else "remote"
        raise _TroubleError(trouble, _reason(error, secrets)) from error


def _require_objects(kind: Any, settings: Mapping[str, Any]) -> None:
    if kind.protocol not in _CARRIED:
        raise _TroubleError("configuration", "it is of no kind that objects are carried to")
    if settings.get("worktree") or settings.get("version_aware"):
        raise _TroubleError("configuration", "it is cloud-versioned: it keeps files by name, not objects")


def _program(config: Any, asked: Open) -> str | None:
    """Say what a stranger's file says of a remote, as DVC reads it, that only the person themselves may say."""
    archives = {"repo", "local"} if local_is_brought(Archive(Path(asked.root))) else {"repo"}
    brought: dict[tuple[str, str], bool] = {}
    for level in config.LEVELS:
        for name, settings in config.load_one(level)["remote"].items():
            brought |= {(name, option): level in archives for option in settings}
    for each in _chain(config["remote"], asked.name.lower()):
        for option in sorted(config["remote"][each].keys() - HARMLESS):
            if brought.get((each, option), True):
                return f"`{option}` of the remote `{each}` may start a program, and it comes with the archive"
    return None


def _chain(remotes: Mapping[str, Any], name: str) -> list[str]:
    """Follow a remote that is described by way of others, as far as DVC would, itself first."""
    chain: list[str] = []
    while name in remotes and name not in chain:
        chain.append(name)
        address = urlparse(remotes[name]["url"])
        if address.scheme == "remote":
            name = address.netloc.lower()
    return chain


def _present(remote: _Remote, protocol: str) -> bool | None:
    """Ask for the folder or bucket that the remote names, which is also the first word with it."""
    if protocol in _PAGES:
        return None  # a server of files need not show its folders
    top = remote.folder.lstrip("/").partition("/")[0] if protocol in _BUCKETS else remote.folder
    try:
        remote.files.info(top)
    except FileNotFoundError:
        return False
    except PermissionError:
        # Objects may be open to us where the bucket is not; with wrong credentials the next request says so.
        if protocol in _BUCKETS:
            return None
        raise
    return True


def _reason(error: BaseException, secrets: Iterable[str]) -> str:
    """Tell a failure in one line, without what must not be told."""
    text = " ".join(str(error).split())
    # The longest first: one may be part of another.
    for secret in sorted((each for each in secrets if len(each) >= _NOTICED), key=len, reverse=True):
        text = text.replace(secret, "…")
    text = git_address.without_users(text)
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__)[:_LONGEST_REASON]


def _callback(voice: _Voice, most: int | None = None) -> Any:
    """Make what a transport of DVC's calls with its progress; it stops one that brings more bytes than it may."""
    from dvc.fs import Callback  # noqa: PLC0415 - imported already, by `_open`

    class Progress(Callback):  # type: ignore[misc]  # DVC has no types
        exceeded = False

        def __init__(self) -> None:
            super().__init__()
            self.so_far = 0

        def relative_update(self, inc: int = 1) -> None:
            self.absolute_update(self.so_far + inc)

        def absolute_update(self, value: int) -> None:
            voice.moved(max(0, value - self.so_far))
            self.so_far = value
            if most is not None and value > most:
                self.exceeded = True
                raise _TooLongError

    return Progress()


def _size(remote: _Remote, name: str) -> int | None:
    try:
        told = remote.files.info(remote.place(name))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return int(told["size"]) if told.get("type") == "file" else None


def _send(remote: _Remote, voice: _Voice, name: str, path: str) -> int:
    parts = {"chunksize": _PART} if remote.files.protocol == "s3" else {}
    remote.files.put_file(path, remote.place(name), callback=_callback(voice), **parts)
    return Path(path).stat().st_size


def _fetch(remote: _Remote, voice: _Voice, name: str, path: str, most: int) -> int | None:
    progress = _callback(voice, most)
    try:
        remote.files.get_file(remote.place(name), path, callback=progress)
    except (FileNotFoundError, NotADirectoryError):
        Path(path).unlink(missing_ok=True)
        return None
    except Exception:
        if not progress.exceeded:
            raise
        return most + 1
    return Path(path).stat().st_size


def _carry_out(remote: _Remote, asked: Measure | Send | Fetch | Enumerate, voice: _Voice) -> None:
    match asked:
        case Measure(objects=objects):
            _each(remote, voice, objects, lambda name: _size(remote, name))
        case Send(files=files):
            for folder in sorted({str(remote.files.parent(remote.place(name))) for name in files}):
                remote.files.makedirs(folder)
            _each(remote, voice, files, lambda name: _send(remote, voice, name, files[name]))
        case Fetch(files=files, most=most):
            _each(remote, voice, files, lambda name: _fetch(remote, voice, name, files[name], most[name]))
        case Enumerate():
            _enumerate(remote, voice)


def _enumerate(remote: _Remote, voice: _Voice) -> None:
    """Look into each of the folders that objects are in, by the first two digits of their names."""
    top = str(remote.files.join(remote.folder, *_PARTS))
    folders = [name for name in _inside(remote, top) if _DIGITS.fullmatch(name)]

    def look(folder: str) -> dict[str, int]:
        inside = _inside(remote, str(remote.files.join(top, folder)))
        return {folder + name: size for name, size in inside.items() if size is not None and name.endswith(".dir")}

    with ThreadPoolExecutor(remote.jobs) as pool:
        for found in pool.map(look, folders):
            voice.say(Enumerated(listings=found))


def _inside(remote: _Remote, folder: str) -> dict[str, int | None]:
    """Name what is in a folder, with the sizes of files."""
    try:
        entries = remote.files.ls(folder, detail=True)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    return {
        str(entry["name"]).rstrip("/").rpartition("/")[2]: int(entry["size"]) if entry["type"] == "file" else None
        for entry in entries
    }


def _each(remote: _Remote, voice: _Voice, names: Iterable[str], act: Callable[[str], int | None]) -> None:
    # What a remote was, it need not be any more.
    with contextlib.suppress(AttributeError):
        remote.files.fs.invalidate_cache()
    with ThreadPoolExecutor(remote.jobs) as pool:
        begun = {pool.submit(act, name): name for name in names}
        try:
            for finished in as_completed(begun):
                voice.say(Finished(object=begun[finished], size=finished.result()))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _serve(requests: Iterator[Request], voice: _Voice) -> None:
    remote: _Remote | None = None
    for asked in requests:
        try:
            if isinstance(asked, Open):
                remote, opened = _open(asked)
                voice.say(opened)
            elif remote is not None:
                _carry_out(remote, asked, voice)
            voice.say(wire.Done())
        except _TroubleError as error:
            voice.say(Failed(trouble=error.trouble, reason=str(error)))
        except Exception as error:  # noqa: BLE001 - whatever a transport makes of a failure
            voice.say(Failed(trouble="remote", reason=_reason(error, remote.secrets if remote else ())))


def _incoming(stream: BinaryIO) -> Iterator[Request]:
    """Yield the requests; when there will be no more of them, whoever asked is gone, and so is this process."""
    waiting: Queue[bytes] = Queue()

    def listen() -> None:
        for line in stream:
            waiting.put(line)
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        yield wire.request(waiting.get())


def main() -> None:
    """Serve the process that started this one, until it is content or gone."""
    requests, answers = talk.take_streams()
    _serve(_incoming(requests), _Voice(stream=answers))


if __name__ == "__main__":
    main()
