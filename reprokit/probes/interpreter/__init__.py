"""The interpreter that ran the evaluation, seen from inside: what the injected probe writes, and reading it.

`injected/sitecustomize.py` is put first on the evaluation's `PYTHONPATH` and leaves one JSON file per Python process.
It runs in the evaluation's Python, whatever that is; everything here runs in reprokit's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from reprokit.bundle import canonical
from reprokit.bundle.values import Json

DIRECTORY_VARIABLE = "REPROKIT_PROBE_DIRECTORY"
INJECTED = Path(__file__).parent / "injected"
MEDIA = ".media.jsonl"
"""How the names of the files end that `reprokit.probes.interpreter.media` reads."""
MOST_NOTED = 1024
"""How many files, or places, of a kind a process notes."""
LARGEST_RECORD = 16 << 20
"""Bytes; a record is far smaller, and a larger file is not read."""


class ProcessFacts(Struct, frozen=True, kw_only=True):
    """What one Python process of the evaluation said of itself.

    A process that was killed, or that ended by `os._exit`, has no `ended` and none of the facts known only then.
    """

    probe: Annotated[Literal[1], Meta(description="format of the record")]
    host: str
    pid: int
    ppid: int
    forked: Annotated[bool, Meta(description="begun as a fork of another recorded process")] = False
    started: Annotated[float, Meta(description="seconds since the epoch")]
    ended: float | None = None
    executable: str
    version: str
    implementation: str
    prefix: str
    base_prefix: str
    argv: Annotated[tuple[str, ...], Meta(description="as given: it may hold secrets")] = ()
    directory: Annotated[str, Meta(description="working directory at its start")] = ""
    flags: dict[str, int] = {}
    path: Annotated[tuple[str, ...], Meta(description="`sys.path`, absolute, without the probe's folder")] = ()
    distributions: Annotated[
        dict[str, tuple[str, ...]], Meta(description="names of the metadata folders in each folder of `path`")
    ] = {}
    launcher: Annotated[dict[str, str], Meta(description="what a launcher told it: rank, job, addresses")] = {}
    variables: Annotated[dict[str, str], Meta(description="what steers seeds and determinism, at its end")] = {}
    installed_modules: Annotated[tuple[str, ...], Meta(description="top-level modules imported from packages")] = ()
    modules: Annotated[dict[str, str], Meta(description="top-level modules from elsewhere, with their file")] = {}
    cache_files: Annotated[tuple[str, ...], Meta(description="files opened in a Hugging Face cache snapshot")] = ()
    hosts: Annotated[tuple[str, ...], Meta(description="`host:port` it connected to, or tried to")] = ()
    written: Annotated[
        tuple[str, ...] | None,
        Meta(description="files named `.json` and `.jsonl` that it opened for writing, or renamed; `null`: not noted"),
    ] = None
    lookups: Annotated[tuple[str, ...], Meta(description="`host:port` it asked the addresses of")] = ()
    torch: dict[str, Json] = {}


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Everything that lies in a probe's folder: the processes, earliest first, and how many files were no record."""

    processes: tuple[ProcessFacts, ...]
    passed_over: int


def child_environment(environ: Mapping[str, str], into: Path) -> dict[str, str]:
    """Make the environment in which an evaluation is watched, its records written into the folder `into`.

    The evaluation's own `PYTHONPATH` stays as it is, behind the probe's folder. Where that folder cannot be named in a
    `PYTHONPATH`, because its path holds the separator, nobody watches.
    """
    watched = {**environ, DIRECTORY_VARIABLE: str(into.absolute())}
    if os.pathsep in str(INJECTED):
        return watched
    own = python_path(environ)
    watched["PYTHONPATH"] = f"{INJECTED}{os.pathsep}{own}" if own else str(INJECTED)
    return watched


def python_path(environ: Mapping[str, str]) -> str:
    """Give the `PYTHONPATH` of an environment as it was before the probe; empty when there was none."""
    entries = environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(entry for entry in entries if entry != str(INJECTED))


def survey(into: Path) -> Survey:
    """Read every record in a probe's folder; whatever else lies there, half-written or foreign, is counted."""
    try:
        files = sorted(file for file in into.iterdir() if not file.name.endswith(MEDIA))
    except OSError:
        return Survey(processes=(), passed_over=0)
    found = [_process(file) for file in files]
    processes = sorted((each for each in found if each), key=lambda each: (each.started, each.host, each.pid))
    return Survey(processes=tuple(processes), passed_over=found.count(None))


def read(into: Path) -> list[ProcessFacts]:
    """Read the records of all processes in a probe's folder, earliest first."""
    return list(survey(into).processes)


def _process(file: Path) -> ProcessFacts | None:
    try:
        if file.suffix != ".json" or not file.is_file() or file.stat().st_size > LARGEST_RECORD:
            return None
        return process(canonical.decode_loosely(file.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return None


def process(value: Any) -> ProcessFacts:
    """Turn the decoded record of a process into facts.

    Raises:
        msgspec.ValidationError: it is no such record.
    """
    return msgspec.convert(readable(value), ProcessFacts)


def readable(value: Any) -> Any:
    """Spell out the bytes of paths that are no UTF-8 (lone surrogates in Python), which no record of ours can hold."""
    match value:
        case str():
            return value.encode("utf-8", errors="backslashreplace").decode("utf-8")
        case dict():
            return {readable(key): readable(item) for key, item in value.items()}
        case list():
            return [readable(item) for item in value]
        case _:
            return value
