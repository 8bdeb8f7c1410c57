"""Turning what a program hands over into JSON: what Python, numpy and torch write numbers and texts with."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from uuid import UUID

import msgspec

from reprokit.bundle.values import Json, NotScored, Score, as_json, as_score

Odd = Callable[[str, object], Json]
"""Given where a value stands that has no JSON form, and the value, it gives what to put in its place, or raises."""

_STRUCTURE = NotScored(not_scored="a structure")
_DEEPEST = 100


def plain(value: object, where: str, odd: Odd) -> Json:
    """Copy a value as JSON.

    Tuples and sets become lists, keys text, records tables; paths, times and exact decimals become text; a scalar of
    numpy or torch becomes its number. Anything else, an array or bytes too, is left to `odd`.
    """
    return as_json(_plain(value, where, odd, 0))


def score(value: object, where: str, odd: Odd) -> Score:
    """Turn a value into a mark; what is no single mark gives the reason."""
    copied = _plain(value, where, odd, 0)
    found = as_score(copied)
    if isinstance(found, int) and not -(2**63) <= found < 2**63:
        return float(found)
    return _STRUCTURE if found is None else found


def type_name(value: object) -> str:
    """Name a value's type as one would import it."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _plain(value: object, where: str, odd: Odd, depth: int) -> Json:
    if depth > _DEEPEST:
        return odd(where, value)
    match value:
        case Enum():
            return _plain(value.value, where, odd, depth + 1)
        case None | bool() | str() | int() | float():
            return _simple(value)
        case Mapping():
            return {str(key): _plain(item, f"{where}.{key}", odd, depth + 1) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            items = value if isinstance(value, list | tuple) else sorted(value, key=repr)
            return [_plain(item, f"{where}.{place}", odd, depth + 1) for place, item in enumerate(items)]
        case _:
            return _other(value, where, odd, depth)


def _simple(value: object) -> Json:
    """Take a subclass, as numpy's float64 is one, for what it stands for."""
    match value:
        case bool() | None:
            return value
        case str():
            return str(value)
        case float():
            return float(value)
        case int():
            return int(value)
        case _:
            return value


def _other(value: object, where: str, odd: Odd, depth: int) -> Json:
    match value:
        case PurePath() | UUID() | Decimal():
            return str(value)
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case msgspec.Struct():
            fields = {name: getattr(value, name) for name in value.__struct_fields__}
            return _plain(fields, where, odd, depth + 1)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}
            return _plain(fields, where, odd, depth + 1)
        case _:
            return _number_of(value) if _is_scalar(value) else odd(where, value)


def _is_scalar(value: object) -> bool:
    """Tell whether a value is one number of numpy, torch or their like, in whatever wrapping."""
    return getattr(value, "shape", None) == () and callable(getattr(value, "item", None))


def _number_of(value: object) -> Json:
    item = value.item()  # type: ignore[attr-defined]  # `_is_scalar` has looked
    return item if isinstance(item, bool | int | float | str) else str(item)
