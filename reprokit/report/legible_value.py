"""Foreign values and numbers as they stand in a page."""

from __future__ import annotations

import math

from msgspec import json

from reprokit.bundle import canonical
from reprokit.bundle.values import Json, Score
from reprokit.diff.shown import legible

_ONE_LINE = 100
_LARGE, _HUGE = 1000, 1e15
_KEPT = {"\n", "\t"}


def block(text: str) -> str:
    """Write out what is not plainly visible, line ends and tabs excepted."""
    if text.isprintable():
        return text
    return "".join(sign if sign in _KEPT or sign.isprintable() else legible.printable(sign) for sign in text)


def as_json(value: Json) -> str:
    """Write a value as JSON: on one line when it is short."""
    line = canonical.line(value)
    return (line if len(line) <= _ONE_LINE else json.format(line, indent=2)).decode()


def as_text(value: Json) -> str:
    """Write a value for reading: a text, or a list of a single text, as it is; all else as JSON."""
    single = value[0] if isinstance(value, list) and len(value) == 1 else value
    return single if isinstance(single, str) else as_json(value)


def score(value: Score | None) -> str:
    """Write a score, with a true minus sign."""
    return "absent" if value is None else _minus(legible.number(value)) if _counts(value) else legible.number(value)


def _counts(value: Score) -> bool:
    return isinstance(value, int | float)


def short(value: float) -> str:
    """Write a number to three significant digits, with a true minus sign."""
    if math.isfinite(value) and _LARGE <= abs(value) < _HUGE:
        return _minus(f"{value:.0f}")
    return _minus(f"{value + 0.0:.3g}")


def signed(value: float) -> str:
    """Write a difference to three significant digits, with its sign."""
    return f"+{short(value)}" if value > 0 else short(value)


def change(value: float) -> str:
    """Write a difference to six significant digits, with its sign."""
    return _minus(f"{value:+.6g}" if value else "0")


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}", 1) if text.startswith("-") else text
