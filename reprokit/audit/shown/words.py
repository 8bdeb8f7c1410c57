"""The words in which an audit is told, the same in every form it takes."""

from __future__ import annotations

from reprokit import clock
from reprokit.audit.statements import State
from reprokit.audit.values import Summary

STATES: tuple[State, ...] = ("error", "warning", "unknown", "good", "not asked")
"""Worst first."""

WORST: dict[State, int] = {state: place for place, state in enumerate(STATES)}

SIGN: dict[State, str] = {
    "error": "\N{MULTIPLICATION X}",
    "warning": "!",
    "unknown": "?",
    "good": "\N{CHECK MARK}",
    "not asked": "\N{EN DASH}",
}
"""A shape for each state, so that none is told by colour alone."""

READ = {
    "whole": "every byte was read",
    "names": "its names and sizes were read, not its bytes",
    "nothing": "it is not in this copy of the archive",
}

_STEP = 1024.0
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_FEW_SECONDS = 10


def number(amount: int) -> str:
    """Write a whole number with a comma for every three digits."""
    return f"{amount:,}"


def count(amount: int, word: str, several: str | None = None) -> str:
    """Write a number of things: `1 bundle`, `3,000 bundles`; `several` is a plural of another kind."""
    return f"{number(amount)} {word if amount == 1 else several or word + 's'}"


def size(octets: float) -> str:
    """Write a number of bytes in the largest unit of 1024 that gives at least 1."""
    place = 0
    while octets >= _STEP and place < len(_UNITS) - 1:
        octets /= _STEP
        place += 1
    return f"{octets:.0f} {_UNITS[place]}" if place == 0 else f"{octets:.1f} {_UNITS[place]}"


def duration(seconds: float) -> str:
    """Write a time in seconds as people say it: `4.2 s`, `2 min 4 s`, `3 h 5 min`, `2 d 4 h`."""
    for large, unit, small, rest in ((_DAY, "d", _HOUR, "h"), (_HOUR, "h", _MINUTE, "min"), (_MINUTE, "min", 1, "s")):
        if seconds >= large:
            whole, left = divmod(seconds, large)
            return f"{whole:.0f} {unit} {left // small:.0f} {rest}"
    return f"{seconds:.1f} s" if seconds < _FEW_SECONDS else f"{seconds:.0f} s"


def seconds_of(summary: Summary) -> float:
    """Tell how long an audit took; zero where the clock was set back meanwhile."""
    return max((clock.parse(summary.ended) - clock.parse(summary.started)).total_seconds(), 0.0)


def what_was_read(summary: Summary) -> str:
    """Say how much was read, and how long the audit took: `1,204 files, 3.4 GiB; it took 2 min 4 s`."""
    took = duration(seconds_of(summary))
    return f"{count(summary.files, 'file')}, {size(summary.octets)}; the audit took {took}"
