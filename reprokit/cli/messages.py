"""What reprokit tells people: on stderr, an error with its way out, never a traceback."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

import click

import reprokit
from reprokit import clock
from reprokit.errors import ExitCode, InvalidRecordError, ReprokitError


def visible(text: str) -> str:
    """Make text from a bundle safe for a terminal: no control characters reach it."""
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)


def visible_json(text: str) -> str:
    """Make JSON safe for a terminal, and leave it the same JSON: what does not print is escaped."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text)


def say(text: str) -> None:
    """Tell something on stderr; a reader that is gone is no reason to fail."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(visible(text), err=True)


def explain(error: ReprokitError) -> None:
    """Tell an error and what to do about it."""
    say(f"reprokit: {error.message}")
    if error.hint:
        say(f"hint: {error.hint}")


def crash_report(error: BaseException) -> Path:
    """Write down a failure that is reprokit's own, and return where. It holds code lines, no values."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    text = f"reprokit {reprokit.__version__}, Python {sys.version}\n\n{frames}\n{type(error).__name__}\n"
    descriptor, name = tempfile.mkstemp(prefix=f"reprokit-crash-{clock.compact(clock.now())}-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8") as report:
        report.write(text)
    return Path(name)


def explain_failure(error: BaseException) -> int:
    """Tell any failure, and return the exit status it stands for."""
    if isinstance(error, ReprokitError):
        explain(error)
        return error.exit_code
    if isinstance(error, RecursionError):
        # No record of ours is so deep: somebody wrote it to see us fall.
        return explain_failure(InvalidRecordError("something in a record is nested deeper than can be followed"))
    say(f"reprokit: this is a bug in reprokit: {type(error).__name__}: {error}")
    with contextlib.suppress(OSError):
        say(f"hint: please report it with `{crash_report(error)}`")
    return ExitCode.BUG
