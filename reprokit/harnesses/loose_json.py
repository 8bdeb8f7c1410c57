"""Reading the JSON that harnesses write: not always JSON, not always UTF-8, not always whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from reprokit.bundle.canonical import decode_loosely
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.values import Json, as_json

# Digits become `0`, and what stands before a number in JSON becomes `:`; bytes are looked at no faster in Python.
_SHAPES = bytes.maketrans(b"0123456789[,:- \t\r\n", b"0" * 10 + b":" * 8)
_LONG_NUMBER = b":" + b"0" * 19

LINES_NAMED = 100
"""How many damaged lines of a file are named one by one; a last finding counts the others."""


class DamagedError(ValueError):
    """The bytes are no JSON, for instance because they were cut short."""


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A foreign JSON value, made fit to be written again, and whether its bytes had to be mended to be read."""

    value: Json
    mended: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One usable line of a `.jsonl` file; `number` counts from 1."""

    number: int
    value: dict[str, Json]


def decode(data: bytes) -> Decoded:
    """Decode bytes, with `NaN`, `Infinity`, a byte order mark and invalid UTF-8 accepted.

    Raises:
        DamagedError: they are no JSON, or nested too deeply.
    """
    # Nearly all of it is plain JSON, which takes a tenth of the time to read when nothing in it has to be mended.
    if not _may_hold_a_long_number(data):
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Decoded(value=msgspec.json.decode(data), mended=False)
    try:
        text = data.decode("utf-8-sig")
        mended = False
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", errors="replace")
        mended = True
    try:
        return Decoded(value=as_json(decode_loosely(text)), mended=mended)
    except json.JSONDecodeError as error:
        message = f"no JSON from character {error.pos} on"
        raise DamagedError(message) from error
    except ValueError as error:
        message = "a number is too long to be read"
        raise DamagedError(message) from error
    except RecursionError as error:
        message = "nested too deeply"
        raise DamagedError(message) from error


def _may_hold_a_long_number(data: bytes) -> bool:
    """Tell whether a whole number may be in it that has no place in 64 bits, which only the slow way brings down."""
    return _LONG_NUMBER in data.translate(_SHAPES) or data[:1].isdigit()


def load(path: Path, where: str) -> tuple[dict[str, Json] | None, list[Finding]]:
    """Read a file that has to hold one JSON object.

    Returns:
        The object, or `None` when there is none to be had, and a finding for what is wrong with the file, if anything.
    """
    try:
        decoded = decode(path.read_bytes())
    except OSError as error:
        return None, [finding("W302", where, f"cannot be opened: {error.strerror}")]
    except DamagedError as error:
        return None, [finding("W302", where, str(error))]
    if not isinstance(decoded.value, dict):
        return None, [finding("W302", where, "not a JSON object")]
    mended = [finding("W302", where, "not valid UTF-8; U+FFFD stands for the bytes")] if decoded.mended else []
    return decoded.value, mended


def lines(path: Path, where: str, *, key: str | None = None) -> Iterator[Line | Finding]:
    """Stream the objects of a `.jsonl` file, and a finding for each line that is not one.

    Blank lines hold nothing and are passed over. A line whose bytes had to be mended gives both, the finding first.

    Args:
        path: the file.
        where: what findings call it.
        key: a member that every object needs, a whole number or text.
    """
    unnamed = 0
    named = 0
    for number, raw in enumerate(_raw_lines(path), start=1):
        if isinstance(raw, OSError):
            yield finding("W302", where, f"cannot be read: {raw.strerror}")
            break
        if not raw.strip():
            continue
        line, problem = _line(raw, number, key)
        if problem and named < LINES_NAMED:
            named += 1
            yield finding("W302", where, f"line {number}: {problem}")
        elif problem:
            unnamed += 1
        if line:
            yield line
    if unnamed:
        yield finding("W302", where, f"and {unnamed} more lines")


def _raw_lines(path: Path) -> Iterator[bytes | OSError]:
    try:
        with path.open("rb") as stream:
            yield from stream
    except OSError as error:
        yield error


def _line(raw: bytes, number: int, key: str | None) -> tuple[Line | None, str]:
    try:
        decoded = decode(raw)
    except DamagedError as error:
        return None, str(error)
    if not isinstance(decoded.value, dict):
        return None, "not a JSON object"
    if key is not None and not is_identifier(decoded.value.get(key)):
        return None, f"no usable `{key}`"
    return Line(number=number, value=decoded.value), "not valid UTF-8; U+FFFD stands for the bytes" * decoded.mended


def is_identifier(value: Json) -> bool:
    """Tell whether a value can be a sample's key: a whole number or text."""
    return isinstance(value, int | str) and not isinstance(value, bool)
