"""The names that things are logged under.

Trackers read `/` as a section of the page and `.` as a table within a table, and keep a leading `_` for themselves. So
a part of a name (a task, a metric, a filter) is written as in an address: `%`, `.`, `/`, `,`, a leading `_` and what is
no visible character become `%` and two hexadecimal digits for each byte. `a.b` and `a/b` stay apart, are the same in
every run, and can be read back. A part of more than 100 characters is cut, and 8 digits of its digest follow `~`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from reprokit.mirrors.portrait.plain import text

LONGEST_PART = 100
_LONGEST_FILE_PART = 60
_DIGITS = 8


def part(name: str) -> str:
    """Write a task, a metric or another foreign name so that it can be one part of a name."""
    escaped = "".join(character if _stands(character) else _escaped(character) for character in text(name))
    if escaped.startswith("_"):
        escaped = _escaped("_") + escaped[1:]
    if len(escaped) > LONGEST_PART:
        escaped = f"{escaped[: LONGEST_PART - _DIGITS - 1]}~{_digits(name)}"
    return escaped or "%"


def file_part(name: str) -> str:
    """Write a name so that it can be part of a file's: letters, digits, `_` and `-`; if changed, with its digest."""
    kept = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")
    if kept and kept == name and len(kept) <= _LONGEST_FILE_PART:
        return kept
    return f"{kept[: _LONGEST_FILE_PART - _DIGITS - 1]}-{_digits(name)}".lstrip("-")


def short_name(name: str) -> str:
    """Write a name for a column: as it is; one that is too long or cannot be stored so is cut, with its digest."""
    stored = text(name)
    return (
        name
        if stored == name and len(name) <= LONGEST_PART
        else f"{stored[: LONGEST_PART - _DIGITS - 1]}~{_digits(name)}"
    )


def distinct(name: str, taken: Iterable[str]) -> str:
    """Give a name that is not taken: it itself, or with the first free number after `-`."""
    taken = taken if isinstance(taken, dict | set | frozenset) else set(taken)
    free, number = name, 2
    while free in taken:
        free = f"{name}-{number}"
        number += 1
    return free


def _stands(character: str) -> bool:
    return character.isprintable() and character not in "%./,"


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())


def _digits(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", errors="surrogatepass")).hexdigest()[:_DIGITS]
