"""The one rule by which a value becomes JSON that every tracker takes. Nothing is ever turned into text by `str()`.

Taken as they are: `None`, booleans, finite floats, text, and whole numbers that a double holds exactly (up to 2⁵³ - 1:
trackers' pages and many of their servers read numbers as doubles).

Converted:

- a float that is not finite becomes `{"not_scored": "nan"}` (or `infinity`, `-infinity`), as in our records;
- a larger whole number becomes text: its digits, or `0x…` when it has more than 4,000 of them;
- in text, half of a surrogate pair and the character NUL, which databases refuse, become U+FFFD;
- a tuple becomes a list, and one of our records the table of its members;
- what lies deeper than 32 levels becomes one text, its JSON.

Refused, with the place where it stands: keys that are no text, two keys of a table that become the same, what is nested
deeper than Python can follow, and every other type, subclasses of those above included.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from reprokit.bundle import canonical
from reprokit.bundle.values import Json, not_finite
from reprokit.errors import InvalidRecordError

DEEPEST = 32
_MOST_LEVELS = 2000
LARGEST_WHOLE = 2**53 - 1
_BITS_OF_DIGITS = 13_000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class NotPlainError(InvalidRecordError):
    """A value that no rule turns into JSON; the message names the place where it stands."""


def plain(value: object, place: str = "value") -> Json:
    """Turn a value into plain JSON; `place` is what its outermost part is called in an error.

    Raises:
        NotPlainError: it holds something that the rule refuses.
    """
    made: dict[str | int, Json] = {"": None}
    waiting = [_Part(value=value, place=place, level=0, holder=made, key="")]
    deep = []
    # No function calls itself here: what a record holds may be nested deeper than Python's own calls may be.
    while waiting:
        part = waiting.pop()
        part.holder[part.key], inside = _made(part)
        waiting += inside
        if part.level == DEEPEST and inside:
            deep.append(part)
    for part in deep:
        part.holder[part.key] = _as_text(part.holder[part.key], part.place)
    return made[""]


def text(written: str) -> str:
    """Replace what a tracker's database would refuse in a text."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", written)


def dumps(value: Json) -> str:
    """Write a plain value as compact JSON, its keys in their order."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def octets(value: Json) -> int:
    """Count the bytes of a plain value as JSON, written without escapes that it does not need."""
    return len(dumps(value).encode())


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A value that is still to be converted, and where it goes."""

    value: object
    place: str
    level: int
    holder: dict[str | int, Json] | list[Json]
    key: Any


def _made(part: _Part) -> tuple[Json, list[_Part]]:
    """Convert a value; what it holds is given as parts that go into it."""
    value = part.value
    if isinstance(value, msgspec.Struct):
        value = {field: getattr(value, field) for field in value.__struct_fields__}
    # The type itself is asked for: a subclass may write itself in any way.
    if type(value) is dict:
        table = dict.fromkeys(_names(value, part.place))
        parts = zip(table, value.values(), strict=True)
        return table, [_inside(part, table, name, item, f".{name}") for name, item in parts]
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        row: list[Json] = [None] * len(value)
        return row, [_inside(part, row, index, item, f"[{index}]") for index, item in enumerate(value)]
    return _leaf(value, part.place), []


def _inside(part: _Part, holder: Any, key: str | int, value: object, step: str) -> _Part:
    if part.level > _MOST_LEVELS:
        raise NotPlainError(f"`{part.place[:200]}` is nested deeper than can be followed")
    return _Part(value=value, place=part.place + step, level=part.level + 1, holder=holder, key=key)


def _names(table: dict[Any, object], place: str) -> list[str]:
    names = []
    for key in table:
        if type(key) is not str:
            raise NotPlainError(f"a key of `{place}` is a `{type(key).__name__}` and no text")
        names.append(text(key))
    if len(set(names)) < len(names):
        same = next(name for name in names if names.count(name) > 1)
        raise NotPlainError(f"two keys of `{place}` become the same: `{same}`")
    return names


def _leaf(value: object, place: str) -> Json:
    kind = type(value)
    if value is None or kind is bool:
        return value
    if isinstance(value, str) and kind is str:
        return text(value)
    if isinstance(value, int) and kind is int:
        return _whole(value)
    if isinstance(value, float) and kind is float:
        return value if math.isfinite(value) else {"not_scored": not_finite(value).not_scored}
    raise NotPlainError(f"`{place}` is a `{kind.__name__}`, which no JSON stands for")


def _as_text(made: Json, place: str) -> str:
    try:
        return canonical.line(made).decode()
    except RecursionError:
        raise NotPlainError(f"`{place}` is nested deeper than can be followed") from None


def _whole(value: int) -> int | str:
    if -LARGEST_WHOLE <= value <= LARGEST_WHOLE:
        return value
    return f"{value:d}" if value.bit_length() < _BITS_OF_DIGITS else hex(value)
