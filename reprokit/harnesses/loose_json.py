"""Reading the JSON that harnesses write: not always JSON, not always UTF-8, not always whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypedDict

import msgspec
from msgspec import Meta

from reprokit.bundle.canonical import decode_loosely
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.values import Json, as_json

# Digits become `0`, and what stands before a number in JSON becomes `:`; bytes are looked at no faster in Python.
_SHAPES = bytes.maketrans(b"0123456789[,:- \t\r\n", b"0" * 10 + b":" * 8)
_LONG_NUMBER = b":" + b"0" * 19
_MOST_DIGITS = 4300
"""A whole number of more digits is not read (by `sys.set_int_max_str_digits`); a shorter line holds none."""
_whole = msgspec.json.Decoder()

LINES_NAMED = 100
"""How many damaged lines of a file are named one by one; a last finding counts the others."""


class DamagedError(ValueError):
    """The bytes are no JSON, for instance because they were cut short."""


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A foreign JSON value, made fit to be written again, and whether its bytes had to be mended to be read."""

    value: Json
    mended: bool


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One usable line of a `.jsonl` file; `number` counts from 1."""

    number: int
    value: dict[str, Json]


class Head(TypedDict, total=False):
    """The members by which sample lines are counted, as nearly all lines have them."""

    doc_id: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | str
    filter: str | None
    doc_hash: str | None


_heads = msgspec.json.Decoder(Head)


def decode(data: bytes) -> Decoded:
    """Decode bytes, with `NaN`, `Infinity`, a byte order mark and invalid UTF-8 accepted.

    Raises:
        DamagedError: they are no JSON, or nested too deeply.
    """
    # Nearly all of it is plain JSON, which takes a tenth of the time to read when nothing in it has to be mended.
    if not _may_hold_a_long_number(data):
        try:
            return Decoded(value=_whole.decode(data), mended=False)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return _mended(data)


def _mended(data: bytes) -> Decoded:
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


def lines(path: Path, where: str, *, key: str | None = None, heads: bool = False) -> Iterator[Line | Finding]:
    """Stream the objects of a `.jsonl` file, and a finding for each line that is not one.

    Blank lines hold nothing and are passed over. A line whose bytes had to be mended gives both, the finding first.

    Args:
        path: the file.
        where: what findings call it.
        key: a member that every object needs, a whole number or text.
        heads: of the objects, only the members of `Head` are wanted; that takes a fifth of the time.
    """
    problems = 0
    for number, raw in enumerate(_raw_lines(path), start=1):
        if isinstance(raw, OSError):
            yield finding("W302", where, f"cannot be read: {raw.strerror}")
            break
        value, problem = _value(raw, key, heads=heads)
        if problem:
            problems += 1
            if problems <= LINES_NAMED:
                yield finding("W302", where, f"line {number}: {problem}")
        if value is not None:
            yield Line(number=number, value=value)
    if problems > LINES_NAMED:
        yield finding("W302", where, f"and {problems - LINES_NAMED} more lines")


def _raw_lines(path: Path) -> Iterator[bytes | OSError]:
    try:
        with path.open("rb") as stream:
            yield from stream
    except OSError as error:
        yield error


def _value(raw: bytes, key: str | None, *, heads: bool) -> tuple[dict[str, Json] | None, str]:
    """Decode a line; nothing is wrong with a blank one, and there is nothing in it."""
    if heads and (head := _head(raw, key)) is not None:
        return head, ""
    if not raw.strip():
        return None, ""
    try:
        decoded = decode(raw)
    except DamagedError as error:
        return None, str(error)
    value = decoded.value
    if not isinstance(value, dict):
        return None, "not a JSON object"
    if key is not None and not is_identifier(value.get(key)):
        return None, f"no usable `{key}`"
    return value, "not valid UTF-8; U+FFFD stands for the bytes" if decoded.mended else ""


def _head(raw: bytes, key: str | None) -> dict[str, Json] | None:
    """Decode the members that count of a line that is plain JSON throughout; `None` when it has to be looked at whole.

    The decoder checks what it passes over, but for what bytes are in a text and how long a number is.
    """
    if len(raw) > _MOST_DIGITS and _may_hold_a_long_number(raw):
        return None
    try:
        if not raw.isascii():
            raw.decode("utf-8")
        head: dict[str, Json] = dict(_heads.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return head if key is None or is_identifier(head.get(key)) else None


def is_identifier(value: Json) -> bool:
    """Tell whether a value can be a sample's key: a whole number or text."""
    return isinstance(value, int | str) and not isinstance(value, bool)
