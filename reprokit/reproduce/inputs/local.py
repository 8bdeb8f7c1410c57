"""The local files and folders that a run read: the same here, of other content, or absent."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct
from msgspec.structs import replace

from reprokit.bundle.bag import open_regular
from reprokit.bundle.record import Record, SubjectFile, SubjectPart
from reprokit.bundle.values import Unknown
from reprokit.probes.subject.parts import is_address
from reprokit.reproduce.inputs.mapping import Mapping, mapped
from reprokit.reproduce.inputs.repositories import is_local, of_named_snapshot

State: TypeAlias = Literal["same", "other content", "absent", "not compared"]

_MOST_NAMED = 3
_AT_ONCE = 1 << 20
_MACHINE = tuple(Path(each) for each in ("/proc", "/sys", "/dev"))
"""What lies there is no data: reading it may wait for ever, never end, or do something."""


class LocalInput(Struct, frozen=True, kw_only=True):
    """A file or a folder that a run read.

    `path` is where it lay, absolute; `given` is how the run named it. `files` lie below it, by relative path, or are it
    when the only path is empty. `inside` tells that it lay in a checkout that a re-run restores.
    """

    given: str
    path: str
    inside: bool
    files: tuple[SubjectFile, ...] = ()


class FoundInput(Struct, frozen=True, kw_only=True):
    """How an input of the run is found here."""

    given: str
    path: Annotated[str, Meta(description="where it lay")]
    here: Annotated[str, Meta(description="where it is looked for")]
    state: Annotated[State, Meta(description="`not compared`: it is here, and no digest of it was recorded")]
    files: Annotated[list[str], Meta(description="the files that are absent or of other content")] = []


def local_inputs(record: Record, roots: Iterable[str]) -> list[LocalInput]:
    """List what a run read from files of its own: what the command line names, models, and data.

    The folder of a snapshot in a cache is none: `preparing.moved_snapshots` tells where that lies.

    Args:
        record: the run's.
        roots: where the checkouts were that a re-run restores.
    """
    directory = record.invocation.working_directory
    if isinstance(directory, Unknown):
        return []
    plain_roots = [posixpath.normpath(root) for root in roots]
    found: dict[str, LocalInput] = {}
    for given, files in (*_of_command(record), *_of_subject(record)):
        path = posixpath.normpath(posixpath.join(directory, given))
        if of_named_snapshot(path) is not None:
            continue
        inside = any(path == root or path.startswith(root.rstrip("/") + "/") for root in plain_roots)
        known = found.get(path)
        every = {file.path: file for file in (*files, *(known.files if known else ()))}
        found[path] = LocalInput(
            given=known.given if known else given, path=path, inside=inside, files=tuple(every.values())
        )
    return list(found.values())


def compare(inputs: Iterable[LocalInput], mappings: Iterable[Mapping]) -> list[FoundInput]:
    """Look for inputs here and compare them: sizes first, then digests. Every file with a digest of equal size is read.

    What lies in `/proc`, `/sys` or `/dev`, or is a link to there, is never opened: it counts as of other content.

    Args:
        inputs: those to look for; of the ones inside of a checkout, only when it has been restored.
        mappings: what lies elsewhere here: what the user says, or where the checkouts were restored.
    """
    every = list(mappings)
    return [_compared(each, mapped(each.path, every)) for each in inputs]


def missing(found: Iterable[FoundInput]) -> list[str]:
    """Say what is not here as the run read it, a line each."""
    return [text for each in found if (text := _missing(each)) is not None]


def _missing(found: FoundInput) -> str | None:
    where = "" if found.here == found.path else f", looked for at `{found.here}`"
    more = len(found.files) - _MOST_NAMED
    names = "`, `".join(found.files[:_MOST_NAMED]) + (f"` and {more} more" if more > 0 else "`")
    match found.state:
        case "absent":
            return f"`{found.path}` is not on this machine{where}"
        case "other content":
            told = f": `{names}" if found.files else ""
            return f"`{found.path}` is here, but with other content than the run read{told}{where}"
        case _:
            return None


def _compared(wanted: LocalInput, here: str) -> FoundInput:
    """Compare one input with what lies `here`."""
    place = _resolved(Path(here))
    other: list[str] = []
    state: State = "absent"
    if place is not None and _is_of_the_machine(place):
        state = "other content"
    elif place is not None:
        bound = [file for file in wanted.files if file.size is not None or file.digest is not None]
        other = [file.path for file in bound if not _same(place / file.path, file)]
        known = any(file.digest is not None for file in bound)
        state = "other content" if other else "same" if known else "not compared"
    named = [path for path in other if path]
    return FoundInput(given=wanted.given, path=wanted.path, here=here, state=state, files=named)


def _resolved(place: Path) -> Path | None:
    """Follow all links; `None` when nothing is there."""
    try:
        return place.resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return None


def _is_of_the_machine(place: Path) -> bool:
    return any(place.is_relative_to(each) for each in _MACHINE)


def _same(file: Path, recorded: SubjectFile) -> bool:
    plain = _resolved(file)
    try:
        if plain is None or _is_of_the_machine(plain) or not plain.is_file():
            return False
        with open_regular(plain) as stream:
            size = os.fstat(stream.fileno()).st_size
            if recorded.size is not None and size != recorded.size:
                return False
            return recorded.digest is None or recorded.digest == _digest(stream, size)
    except (OSError, ValueError):
        return False


def _digest(stream: BufferedReader, size: int) -> str:
    """Digest as many bytes as a file is said to have: of some, such as those of a kernel, more never end."""
    digest = hashlib.sha256()
    while size > 0 and (block := stream.read(min(size, _AT_ONCE))):
        digest.update(block)
        size -= len(block)
    return f"sha256:{digest.hexdigest()}"


def _renamed(file: SubjectFile, path: str) -> SubjectFile:
    return replace(file, path=path)


def _of_command(record: Record) -> Iterator[tuple[str, tuple[SubjectFile, ...]]]:
    for each in record.invocation.inputs:
        yield each.path, (SubjectFile(path="", role="other", digest=each.digest),) if each.digest else ()


def _of_subject(record: Record) -> Iterator[tuple[str, tuple[SubjectFile, ...]]]:
    for part in (*record.subject.models, *record.subject.datasets):
        if is_local(part):
            yield from _of_part(part)


def _of_part(part: SubjectPart) -> Iterator[tuple[str, tuple[SubjectFile, ...]]]:
    """Give the places of a part, with the files that lie there."""
    here = [file for file in part.files if not is_address(file.path)]
    if part.place is not None and len(here) == 1 and here[0].path == part.place:
        yield part.place, (_renamed(here[0], ""),)
        return
    inner = part.extra.get("data_dir")
    inner = inner if isinstance(inner, str) else ""
    if part.place is not None:
        below = [file for file in here if not file.path.startswith("/")]
        yield part.place, tuple(_renamed(file, posixpath.join(inner, file.path)) for file in below)
        here = [file for file in here if file.path.startswith("/")]
    for file in here:
        yield posixpath.join(inner, file.path), (_renamed(file, ""),)
