"""Canonical JSON: the same content always becomes the same bytes.

Keys are sorted, text is UTF-8 without escapes that JSON does not need, numbers are written in their shortest form that
reads back equal. A record is indented by two spaces and ends with a newline; a line of a `.jsonl` file has no spaces.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

import msgspec

from reprokit.bundle.values import as_json

T = TypeVar("T")

_lines = msgspec.json.Encoder(order="sorted")


def line(value: object) -> bytes:
    """Encode a value as one canonical line, without the newline.

    Text that is no Unicode, such as an argument or a file name of other bytes, gets U+FFFD for what it is not.
    """
    try:
        return _lines.encode(value)
    except UnicodeEncodeError:
        return _lines.encode(as_json(msgspec.to_builtins(value)))


def record(value: object) -> bytes:
    """Encode a record as canonical, indented JSON with a final newline."""
    return msgspec.json.format(line(value), indent=2) + b"\n"


def decode(data: bytes, kind: type[T]) -> T:
    """Decode bytes into a value of `kind`, accepting fields it does not know.

    Raises:
        msgspec.DecodeError: the bytes are no JSON, or (as `ValidationError`) not of this kind.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except RecursionError as error:
        message = "it is nested too deeply"
        raise msgspec.DecodeError(message) from error


def decode_loosely(data: bytes | str) -> Any:
    """Decode a foreign file's JSON, `NaN`, `Infinity` and invalid UTF-8 included.

    Raises:
        ValueError: it is no JSON at all, for instance cut short by a full disk.
    """
    text = data.decode("utf-8", errors="replace") if isinstance(data, bytes) else data
    return json.loads(text)


def digest(value: object) -> str:
    """Digest a JSON value by its canonical line: equal content, equal digest, in any harness."""
    return "sha256:" + hashlib.sha256(line(value)).hexdigest()
