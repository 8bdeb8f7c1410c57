"""Foreign values in a line of a terminal: short, and with nothing in them that a terminal would act upon."""

from __future__ import annotations

from reprokit.bundle import canonical
from reprokit.bundle.values import Json, NotScored, Score

_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\e"}
_CONTEXT = 8


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"  # noqa: PLR2004 - what two digits can say


def printable(text: str) -> str:
    """Write out every character that is not plainly visible: control codes, changes of direction, lone surrogates."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in text)


def shorten(text: str, width: int) -> str:
    """Cut the middle out of a text that is wider than `width` characters."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def _shared(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def shorten_both(one: str, other: str, width: int) -> tuple[str, str]:
    """Cut two texts to `width` characters each, so that what differs between them stays in sight."""
    if max(len(one), len(other)) <= width:
        return one, other
    start = max(_shared(one, other) - _CONTEXT, 0)
    left, right = one[start:], other[start:]
    end = max(_shared(left[::-1], right[::-1]) - _CONTEXT, 0)
    left, right = (text[: len(text) - end] if end else text for text in (left, right))
    front, back = "…" if start else "", "…" if end else ""
    inner = width - len(front) - len(back)
    return front + shorten(left, inner) + back, front + shorten(right, inner) + back


def value(item: Json) -> str:
    """Write a JSON value on one line: a plain text as it is, all else as JSON."""
    return printable(item if isinstance(item, str) and item else canonical.line(item).decode())


def quoted(item: Json) -> str:
    """Write what a model said on one line, as JSON; a list of a single text as that text."""
    single = item[0] if isinstance(item, list) and len(item) == 1 else item
    return printable(canonical.line(single).decode())


def number(score: Score) -> str:
    """Write a score to six significant digits; a count in full."""
    match score:
        case NotScored(not_scored=reason):
            return f"not scored ({printable(reason)})"
        case bool() | int():
            return str(int(score))
        case float():
            return f"{score:.6g}"
