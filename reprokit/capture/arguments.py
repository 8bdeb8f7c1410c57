"""What a command line says about files: its program, its inputs, its outputs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from reprokit.bundle.bag import sha256_of
from reprokit.bundle.environment import Interpreter
from reprokit.bundle.record import Input, Output
from reprokit.bundle.values import Unknown

_HASHED_TOGETHER = 1 << 28
_NAMES_A_PLACE = ("path", "dir", "file", "data", "include", "pretrained", "model", "config", "template")


@dataclass(frozen=True, kw_only=True)
class Program:
    """The file that argv[0] names, and where a re-run finds it."""

    path: str | Unknown
    lies_in: Literal["environment", "source", "system", "unknown"]


def _speaks_for(program: Path, interpreter: Interpreter) -> bool:
    """Tell whether a program in the interpreter's `bin` folder is Python, or a script that Python runs."""
    if program.name.startswith(("python", "pypy")) or interpreter.prefix != interpreter.base_prefix:
        return True
    with program.open("rb") as stream:
        return b"python" in stream.readline(256)


def program(
    first: str, *, directory: Path, environment: Mapping[str, str], interpreter: Interpreter | None, source: Path | None
) -> Program:
    """Find the program that a command starts with.

    `source` is the root of the checkout around `directory`, if there is one.
    """
    if "/" in first:
        found: Path | None = directory / first
    else:
        name = shutil.which(first, path=environment.get("PATH"))
        found = Path(name) if name else None
    if found is None or not found.exists():
        return Program(path=Unknown(unknown=f"`{first}` was not found on PATH"), lies_in="unknown")
    parent = found.parent.resolve()
    if interpreter and parent == (Path(interpreter.prefix) / "bin").resolve() and _speaks_for(found, interpreter):
        return Program(path=str(found), lies_in="environment")
    if source and found.resolve().is_relative_to(source.resolve()):
        return Program(path=str(found), lies_in="source")
    return Program(path=str(found), lies_in="system")


def _values(argument: str) -> Iterator[str]:
    """Yield what may be a path in an argument: itself, and the values of `a=b,c=d`."""
    yield argument
    if "=" in argument:
        yield argument.partition("=")[2]
        for pair in argument.split(","):
            yield pair.rpartition("=")[2]


def _may_name_a_place(value: str, argument: str, before: str) -> bool:
    if not value or value.startswith("-"):
        return False
    if "/" in value or "." in value:
        return True
    key = argument if "=" in argument else before
    return any(word in key.lower() for word in _NAMES_A_PLACE)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _digest(path: Path, budget: int) -> tuple[str | None, int]:
    """Digest a file, unless it would keep the evaluation waiting or cannot be read; returns what is left to read."""
    try:
        size = path.stat().st_size
        if not path.is_file() or size > budget:
            return None, budget
        return "sha256:" + sha256_of(path.resolve()), budget - size
    except OSError:
        return None, budget


def inputs(argv: Sequence[str], *, directory: Path, outputs: Sequence[Output], source: Path | None) -> list[Input]:
    """List the files and folders that arguments name and that exist now; outputs and the program are not among them."""
    skipped = {output.argument for output in outputs}
    budget = _HASHED_TOGETHER
    found: list[Input] = []
    for index, argument in enumerate(argv):
        if index == 0 or index in skipped:
            continue
        for value in dict.fromkeys(_values(argument)):
            path = directory / value
            if not _may_name_a_place(value, argument, argv[index - 1]) or not _exists(path):
                continue
            digest, budget = _digest(path, budget)
            found.append(
                Input(
                    path=value,
                    argument=index,
                    kind="folder" if path.is_dir() else "file",
                    inside=source is not None and path.resolve().is_relative_to(source.resolve()),
                    digest=digest,
                )
            )
    return found
