"""The interpreter of a re-run: the recorded version, else another one of the same minor series."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from reprokit.bundle.environment import Interpreter
from reprokit.errors import InputMissingError, InvalidRecordError
from reprokit.reproduce.delta import Delta
from reprokit.reproduce.environment.uv import Uv, said

_VERSION = re.compile(r"(?P<minor>[0-9]{1,4}\.[0-9]{1,4})(\.[0-9]{1,4})?((a|b|rc)[0-9]{1,4})?\+?", re.ASCII)
_IMPLEMENTATIONS = frozenset({"cpython", "pypy", "graalpy"})


def require_version(interpreter: Interpreter) -> None:
    """Refuse what is no version: uv would take a path for an interpreter to run.

    Raises:
        InvalidRecordError: it is none.
    """
    if not _VERSION.fullmatch(interpreter.version) or interpreter.implementation not in _IMPLEMENTATIONS:
        told = f"{interpreter.implementation} {interpreter.version}"[:80]
        raise InvalidRecordError(f"the record names `{told}`, which is no Python that can be had")


def create(uv: Uv, interpreter: Interpreter, target: Path) -> tuple[Delta, ...]:
    """Make an empty environment in the new folder `target`; returns what is not as recorded.

    Raises:
        InvalidRecordError: the record names no Python.
        InputMissingError: neither the version nor another of its minor series is to be had.
    """
    require_version(interpreter)
    reason = ""
    for wanted, flags in _tries(interpreter):
        made = uv.run(["venv", *flags, "--python", wanted, "--", str(target)])
        if made.status == 0:
            here = _version_of(target)
            recorded = interpreter.version.removesuffix("+")
            if here == recorded:
                return ()
            return (Delta(what="Python", recorded=recorded, here=here, reason="that version is not to be had here"),)
        reason = reason or said(made)
        shutil.rmtree(target, ignore_errors=True)
    minor = _minor(interpreter)
    raise InputMissingError(
        f"Python {interpreter.version} cannot be had: {reason}",
        hint=f"install Python {minor}, or run in the present environment: `--env current`",
    )


def _minor(interpreter: Interpreter) -> str:
    match = _VERSION.fullmatch(interpreter.version)
    return match["minor"] if match else interpreter.version


def _tries(interpreter: Interpreter) -> Iterator[tuple[str, tuple[str, ...]]]:
    exact = f"{interpreter.implementation}@{interpreter.version.removesuffix('+')}"
    near = f"{interpreter.implementation}@{_minor(interpreter)}"
    for wanted in (exact, near):
        yield wanted, ("--no-python-downloads",)
        yield wanted, ("--managed-python",)


def _version_of(environment: Path) -> str:
    match = re.search(
        r"^version_info\s*=\s*(\S+)", (environment / "pyvenv.cfg").read_text(encoding="utf-8"), re.MULTILINE
    )
    return match[1] if match else "unknown"
