"""What a harness left goes into the payload: its files byte for byte, its samples in our terms; no secret does.

Large outputs are worked on side by side, each file with contents of its own that are then absorbed in order: what comes
out is, byte for byte, what comes out one after the other.
"""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeVar

import msgspec

from reprokit.bundle import canonical
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import Withheld
from reprokit.bundle.results import Results, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.writing import Readable
from reprokit.capture import private, side_by_side
from reprokit.capture.contents import Contents
from reprokit.capture.side_by_side import Helpers
from reprokit.consistency import Consistency
from reprokit.harnesses.interface import FoundRun, Reader, Reading
from reprokit.probes import secrets
from reprokit.probes.interpreter import media

_CANNOT_WRITE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""What goes wrong on the side of the bundle: such a copy is not a fault of the file."""
_BATCH = 1 << 18
"""Bytes of sample lines that are searched for secrets at once."""


@dataclass(kw_only=True)
class _Written:
    """The samples of one task: the name of their file below `data/`, how many they are, and what goes by with them."""

    path: str
    consistency: Consistency
    count: int = 0


@dataclass(frozen=True, kw_only=True)
class _File:
    """A file to be copied; `path` is its name below `data/`, as far as it can be stored, `size` in bytes."""

    path: PurePosixPath
    size: int
    source: Path
    may_show: bool
    task: None = None


@dataclass(frozen=True, kw_only=True)
class _Task:
    """A task whose samples are to be written to `path` below `data/`, from a file of `size` bytes."""

    path: PurePosixPath
    size: int
    place: int
    task: str
    harness: Reader
    run: FoundRun
    results: Results


_Work = TypeVar("_Work", _File, _Task)
_Outcome = TypeVar("_Outcome")


def add_outputs(contents: Contents, harness: Reader, run: FoundRun, reading: Reading) -> list[Task]:
    """Copy the harness's files and write each task's samples; returns the tasks with what was really written.

    Large outputs are worked on side by side; what comes out is what comes out one after the other.
    """
    sizes = {file: _size(run.root / file) for file in run.files}
    with side_by_side.helpers(sum(sizes.values())) as helpers:
        unusable = _add_harness_files(contents, run, reading, sizes, helpers)
        return _add_samples(contents, harness, run, reading, unusable, helpers)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _each(
    contents: Contents,
    work: Callable[[Contents, _Work], _Outcome],
    items: Sequence[_Work],
    helpers: Helpers | None,
) -> Iterator[_Outcome]:
    """Do the work on every item, in their order as far as `contents` are concerned."""
    if helpers is None or not contents.payload.are_apart(item.path for item in items):
        yield from (work(contents, item) for item in items)
        return
    with contents.payload.sharing():
        apart = [(work, contents.part(item.task), item) for item in items]
        for item, done in zip(items, helpers.each(_apart, apart, [item.size for item in items]), strict=True):
            if done is not None and contents.absorb(done.outcome[0]):
                yield done.outcome[1]
            else:
                contents.payload.forget(item.path)
                yield work(contents, item)


def _apart(given: tuple[Callable[[Contents, _Work], _Outcome], Contents, _Work]) -> tuple[Contents, _Outcome]:
    work, part, item = given
    outcome = work(part, item)
    return part, outcome


def _add_harness_files(
    contents: Contents, run: FoundRun, reading: Reading, sizes: Mapping[PurePosixPath, int], helpers: Helpers | None
) -> set[PurePosixPath]:
    """Copy the harness's files; returns those that could not be taken and are not to be read either."""
    # Beside the results, any file of a harness may hold what its samples say: caches, logs, tables.
    may_show = {*run.files} - {run.results} | {*reading.sample_files.values()}
    if run.results is not None and private.may_tell_samples(reading):
        may_show.add(run.results)
    files = [
        _File(
            path=PurePosixPath("harness") / file,
            size=sizes[file],
            source=run.root / file,
            may_show=file in may_show,
        )
        for file in run.files
    ]
    usable = _each(contents, _add_harness_file, files, helpers)
    return {file for file, is_usable in zip(run.files, usable, strict=True) if not is_usable}


def _add_harness_file(contents: Contents, file: _File) -> bool:
    """Copy a file unless it, or its name, holds secrets; tells whether it may be read."""
    path = str(file.path)
    if contents.private and file.may_show:
        contents.keep_private(path)
        return True
    try:
        names = _copy(contents, file)
    except OSError as error:
        if error.errno in _CANNOT_WRITE:
            raise
        contents.withheld.append(Withheld(path=path, reason=f"cannot be read: {error.strerror}"))
        contents.findings.append(finding("W302", path, f"cannot be read: {error.strerror}"))
        return False
    if names:
        contents.withhold(path, names)
    return not names


def _copy(contents: Contents, file: _File) -> set[str]:
    """Copy a file unless it, or its name, holds secrets; returns their names."""
    name = str(file.path).removeprefix("harness/")
    found = secrets.redact_text(name.encode(errors="replace"), contents.secrets)[1]
    if found:
        return found

    def holds_none(copying: Readable) -> bool:
        found.update(secrets.names_in_stream(copying, contents.secrets))
        return not found

    contents.payload.add_file(file.source, file.path, "harness", accept=holds_none)
    return found


def _lines(contents: Contents, rows: Iterator[Sample | Finding], written: _Written) -> Iterator[bytes]:
    """Write samples as lines, many at a time: to search them one by one would take most of a capture."""
    batch: list[tuple[Sample, bytes]] = []
    size = 0
    for row in rows:
        if isinstance(row, Finding):
            contents.findings.append(row)
            continue
        line = canonical.line(private.as_digests(row) if contents.private else row) + b"\n"
        batch.append((row, line))
        size += len(line)
        if size >= _BATCH:
            yield _without_secrets(contents, batch, written)
            batch, size = [], 0
    yield _without_secrets(contents, batch, written)


def _without_secrets(contents: Contents, batch: list[tuple[Sample, bytes]], written: _Written) -> bytes:
    """Join lines but for those that hold a secret, which stood in another form in the harness's file."""
    joined = b"".join(line for _, line in batch)
    if secrets.names_in_text(joined, contents.secrets):
        batch = [each for each in batch if not _withheld(contents, *each)]
        joined = b"".join(line for _, line in batch)
    for sample, _ in batch:
        written.consistency.see(sample)
    written.count += len(batch)
    return joined


def _withheld(contents: Contents, sample: Sample, line: bytes) -> bool:
    names = secrets.names_in_text(line, contents.secrets)
    if names:
        contents.withhold(f"sample {sample.id!r} of {sample.task}", names)
    return bool(names)


def _add_samples(
    contents: Contents,
    harness: Reader,
    run: FoundRun,
    reading: Reading,
    unusable: set[PurePosixPath],
    helpers: Helpers | None,
) -> list[Task]:
    """Write each task's samples and hold the results against them; returns the tasks with what was really written."""
    # A task's samples may come from several files: those that were kept out are not read either.
    readable = dataclasses.replace(run, samples=tuple(file for file in run.samples if file not in unusable))
    tasks: list[Task] = []
    wanted: list[_Task] = []
    for task in reading.results.tasks:
        file = reading.sample_files.get(task.name)
        tasks.append(msgspec.structs.replace(task, samples_saved=0, samples_file=None))
        if file is not None and file not in unusable and task.samples_file is not None:
            wanted.append(
                _Task(
                    path=PurePosixPath(task.samples_file),
                    size=_size(run.root / file),
                    place=len(tasks) - 1,
                    task=task.name,
                    harness=harness,
                    run=readable,
                    results=reading.results,
                )
            )
    consistency = Consistency(reading.results)
    for each, written in zip(wanted, _each(contents, _write_samples, wanted, helpers), strict=True):
        consistency.join(written.consistency)
        tasks[each.place] = msgspec.structs.replace(
            tasks[each.place], samples_saved=written.count, samples_file=written.path
        )
    contents.findings += consistency.findings()
    contents.findings += media.findings(contents.media) if contents.media else []
    return tasks


def _write_samples(contents: Contents, task: _Task) -> _Written:
    written = _Written(path=contents.payload.free_name(str(task.path)), consistency=Consistency(task.results))
    contents.payload.add(written.path, "samples", _lines(contents, _samples(contents, task), written))
    return written


def _samples(contents: Contents, task: _Task) -> Iterator[Sample | Finding]:
    """Stream a task's samples, each with its media."""
    for row in task.harness.samples(task.run, task.task):
        yield row if contents.media is None or isinstance(row, Finding) else media.with_media(row, contents.media)
