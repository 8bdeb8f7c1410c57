"""The part of the probe that notes which pictures, sounds and films lmms-eval shows a model: read where it is loaded.

lmms-eval saves neither its media nor digests of them. A model asks for them by `doc_to_visual(dataset[doc_id])`, or
`doc_to_messages(...)`, so three methods are wrapped: the dataset's own `[...]`, which tells which row was fetched last
in a thread, and these two, which tell what was made of a row. Only the very object that was fetched from the very
dataset that its task evaluates is taken for that sample; for anything else nothing is noted.

Results, exceptions and arguments pass through as they are. A picture that is not decoded yet stays so. What is noted
goes into a file of lines beside the process's record, written a few at a time. ASCII, and any Python from 3.8 on.
"""

# ruff: noqa: INP001 - it is no module to be imported: the probe loads it by its path
# ruff: noqa: PTH100, PTH122 - pathlib is slow to import

from __future__ import annotations

import functools
import hashlib
import os
import signal
import sys
import threading
import time
import weakref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

MOST_BYTES = 1 << 26
MOST_TEXT = 4096
MOST_ITEMS = 256
MOST_LINES = 64
LONGEST_WAIT = 2.0
KINDS = {
    "image": (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"),
    "audio": (".aac", ".flac", ".m4a", ".mp3", ".ogg", ".opus", ".wav"),
    "video": (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".webm"),
}


def _struck(error: BaseException) -> bool:
    """Tell whether a signal handler of the evaluation's own, a time limit for one, raised an exception."""
    handlers = [getattr(signal.getsignal(number), "__code__", None) for number in signal.valid_signals()]
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in handlers:
            return True
        trace = trace.tb_next
    return False


def _digest(data: Any, heading: str = "") -> str:
    whole = hashlib.sha256(heading.encode("ascii"))
    whole.update(data)
    return "sha256:" + whole.hexdigest()


def _kind(name: str, otherwise: str = "file") -> str:
    ending = os.path.splitext(name)[1].lower()
    return next((kind for kind, endings in KINDS.items() if ending in endings), otherwise)


def _unknown(kind: str, why: str) -> dict[str, Any]:
    return {"kind": kind, "unknown": why}


def _picture(picture: Any) -> dict[str, Any]:
    """Describe a PIL picture by its pixels; one that is not decoded yet by the file that it is in."""
    width, height = picture.size
    facts = {"kind": "image", "width": width, "height": height}
    if getattr(picture, "tile", None):  # to decode it now could change how it is decoded later
        encoded = getattr(getattr(picture, "fp", None), "getbuffer", None)
        name = getattr(picture, "filename", "")
        if isinstance(name, str) and name:
            facts["path"] = os.path.abspath(name)
        elif encoded is not None:
            facts["digest"], facts["of"] = _digest(encoded()), "file"
        else:
            facts["unknown"] = "it is decoded only later"
        return facts
    if width * height * len(picture.getbands()) > MOST_BYTES:
        facts["unknown"] = "it is too large to be digested while the evaluation runs"
        return facts
    plain = picture.convert("RGBA") if picture.mode in ("P", "PA") else picture
    facts["digest"] = _digest(plain.tobytes(), f"{plain.mode} {width}x{height}\n")
    facts["of"] = "pixels"
    return facts


def _array(values: Any, kind: str, rate: Any = None) -> dict[str, Any]:
    """Describe an array: the samples of a sound, or the frames of a film."""
    if values.nbytes > MOST_BYTES:
        return _unknown(kind, "it is too large to be digested while the evaluation runs")
    shape = "x".join(str(length) for length in values.shape)
    heading = f"{values.dtype.str} {shape}\n" if rate is None else f"{values.dtype.str} {shape} {int(rate)} Hz\n"
    return {"kind": kind, "digest": _digest(values.tobytes(), heading), "of": "samples"}


def _named(name: str, kind: str) -> dict[str, Any]:
    """Describe a file or an address; a file is digested when the run is captured."""
    if len(name) > MOST_TEXT or name.startswith("data:"):
        return _unknown(kind, "it is text and names no file")
    if name.startswith("file://"):
        name = name[len("file://") :]
    elif "://" in name[:16]:
        return {"kind": _kind(name.partition("?")[0], kind), "address": name}
    return {"kind": _kind(name, kind), "path": os.path.abspath(name)}


def _mapping(item: dict[Any, Any], kind: str) -> dict[str, Any]:
    kind = item["type"] if item.get("type") in KINDS else kind
    array, rate = item.get("array"), item.get("sampling_rate")
    if _is(array, "numpy", "ndarray"):
        return _array(array, kind if rate is None else "audio", rate)
    if type(item.get("bytes")) is bytes:
        return _described(item["bytes"], kind)
    found = item.get("url") or item.get("path")
    return _unknown(kind, "it is of a kind that is not known") if found is None else _described(found, kind)


def _is(item: Any, module: str, name: str) -> bool:
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(item, kind)


def _described(item: Any, kind: str = "file") -> dict[str, Any]:
    if _is(item, "PIL.Image", "Image"):
        return _picture(item)
    if isinstance(item, str):
        return _named(item, kind)
    if isinstance(item, dict):
        return _mapping(item, kind)
    if isinstance(item, (bytes, bytearray)):
        if len(item) > MOST_BYTES:
            return _unknown(kind, "it is too large to be digested while the evaluation runs")
        return {"kind": kind, "digest": _digest(item), "of": "file"}
    if _is(item, "numpy", "ndarray"):
        return _array(item, "video" if kind == "file" else kind)
    return _unknown(kind, "it is of a kind that is not known")


def _in_list(made: Any) -> Iterator[tuple[Any, str]]:
    """List what `doc_to_visual` returned; anything that is no list, such as an iterator, is not touched."""
    for item in made if isinstance(made, (list, tuple)) else ():
        if isinstance(item, (list, tuple)):
            for inner in item:
                yield inner, "file"
        elif item is not None:
            yield item, "file"


def _in_messages(made: Any) -> Iterator[tuple[Any, str]]:
    """List the media in what `doc_to_messages` returned: turns with their contents."""
    for turn in made if isinstance(made, (list, tuple)) else ():
        contents = turn.get("content") if isinstance(turn, dict) else None
        for each in contents if isinstance(contents, list) else ():
            if isinstance(each, dict) and each.get("type") in KINDS:
                yield each.get("url", each.get(each["type"])), each["type"]


class _Seen:
    """What the models of this process were shown."""

    def __init__(self, target: Callable[[], str], encode: Callable[[Any], str]) -> None:
        self.target = target
        self.encode = encode
        self.latest = threading.local()
        self.process = os.getpid()
        self.known: dict[str, set[int]] = {}
        self.lines: list[str] = []
        self.written = 0.0

    def fetched(self, dataset: Any, row: Any, key: int) -> None:
        """Remember the row that this thread fetched last."""
        self.latest.fetch = (row, weakref.ref(dataset), key)

    def sample(self, task: Any, row: Any) -> int | None:
        """Tell which sample of a task a row is; `None` when that is not certain."""
        fetch = getattr(self.latest, "fetch", None)
        if fetch is None or fetch[0] is not row:
            return None
        config = task.config
        split = config.test_split if config.test_split is not None else config.validation_split
        return fetch[2] if task.dataset[split] is fetch[1]() else None

    def note(self, task: Any, row: Any, items: Iterator[tuple[Any, str]]) -> None:
        """Note what was made of a row, the first time that it is shown."""
        if os.getpid() != self.process:  # after a fork, what waits to be written is the parent's
            self.process, self.lines = os.getpid(), []
        name, key = task.config.task, self.sample(task, row)
        known = self.known.setdefault(name, set())
        if key is None or key in known:
            return
        shown = list(items)
        media = [_described(item, kind) for item, kind in shown[:MOST_ITEMS]]
        known.add(key)
        self.lines.append(self.encode({"task": name, "id": key, "left_out": len(shown) - len(media), "media": media}))
        if len(self.lines) >= MOST_LINES or time.monotonic() - self.written > LONGEST_WAIT:
            self.write()

    def write(self) -> None:
        """Append what waits; the file is opened anew each time, for a program may close what it does not know."""
        lines, self.lines = self.lines, []
        self.written = time.monotonic()
        target = self.target()
        if not target or not lines or os.getpid() != self.process:
            return
        data = ("\n".join(lines) + "\n").encode("ascii")
        file = os.path.splitext(target)[0] + ".media.jsonl"
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)

    def end(self) -> None:
        """Write what still waits, and let go of the last row."""
        self.latest = threading.local()
        self.write()


def _quietly(observe: Callable[..., None], *arguments: Any) -> None:
    try:
        observe(*arguments)
    except Exception as error:
        if _struck(error):
            raise


def _watch_fetches(dataset_type: Any, seen: _Seen) -> None:
    fetch = dataset_type.__getitem__

    @functools.wraps(fetch)
    def watched(self: Any, key: Any) -> Any:
        row = fetch(self, key)
        if type(key) is int and key >= 0:
            _quietly(seen.fetched, self, row, key)
        return row

    dataset_type.__getitem__ = watched


def _watch_making(task_type: Any, name: str, seen: _Seen, listed: Callable[[Any], Iterator[tuple[Any, str]]]) -> None:
    make = task_type.__dict__.get(name)
    if make is None:
        return

    @functools.wraps(make)
    def watched(self: Any, doc: Any, *arguments: Any, **options: Any) -> Any:
        made = make(self, doc, *arguments, **options)
        if options.get("round_idx") is None:
            _quietly(seen.note, self, doc, listed(made))
        return made

    setattr(task_type, name, watched)


def watch(target: Callable[[], str], encode: Callable[[Any], str]) -> Callable[[], None]:
    """Begin to watch, in a process in which `lmms_eval.api.task` has been imported.

    `target` tells the path of the process's record, `encode` writes a value as JSON. Returns what is to be called when
    the process ends.
    """
    tasks: Any = sys.modules["lmms_eval.api.task"]
    datasets: Any = sys.modules["datasets.arrow_dataset"]
    seen = _Seen(target, encode)
    _watch_fetches(datasets.Dataset, seen)
    for name in ("ConfigurableTask", "ConfigurableMessagesTask"):
        task_type = getattr(tasks, name, None)
        if task_type is not None:
            _watch_making(task_type, "doc_to_visual", seen, _in_list)
            _watch_making(task_type, "doc_to_messages", seen, _in_messages)
    return seen.end
