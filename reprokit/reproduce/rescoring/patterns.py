"""Regular expressions out of a foreign record: used only where they cannot keep the machine busy.

Python's `re` tries one way after another through a pattern. Here the ways, and the characters looked at on them, are
counted before: parts that follow each other multiply their ways, alternatives add them up, and what repeats a single
thing has as many as the text has characters. That is exact enough to refuse no pattern of a usual task. A group that
is repeated has no such bound, and is refused. Where a pattern begins with plain text, only the places of that count.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

_LONGEST_PATTERN = 500
_MOST_STEPS = 500_000_000
_BACK = re.compile(r"\\[1-9]|\(\?P=\w*\)", re.ASCII)
"""What a group matched, again: as long as the text at worst."""

_SINGLE = re.compile(rf"(?P<back>{_BACK.pattern})|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL | re.ASCII)
"""That, an escaped character, or a class of them."""

_HIDES = re.compile(r"\(\?(#|[a-zA-Z-]*x)")
"""A comment, or the flag by which white space means nothing: either can stand between a group and its repetition."""

_GROUP_HEAD = re.compile(r"\(\?(?:[a-zA-Z-]+[:)]|P?<?[=!<]?|[:=!>])?")
_BEGINNING = re.compile(r"[^\\\[\](){}|.*+?^$]+(?![*+?{])")
_PART = re.compile(r"(?P<many>([*+]|\{[0-9]*,?[0-9]*\})[?+]?)|(?P<maybe>\?[?+]?)|.", re.DOTALL)


class UnsafePatternError(ValueError):
    """A pattern that will not be tried on a text."""


def usable(pattern: str, text: str) -> re.Pattern[str]:
    """Compile a pattern that will be done with a text soon.

    Raises:
        UnsafePatternError: it may not, or it is no pattern.
    """
    compiled, plain = _compiled(pattern)
    if _places(pattern, plain, text) * _work(plain, len(text) + 1) > _MOST_STEPS:
        message = "a pattern of the task has too many ways through a text"
        raise UnsafePatternError(message)
    return compiled


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> tuple[re.Pattern[str], str]:
    """Compile a pattern; also gives what is left of it when single things are single characters."""
    if len(pattern) > _LONGEST_PATTERN:
        message = "a pattern of the task is too long"
        raise UnsafePatternError(message)
    plain = _SINGLE.sub(lambda found: "c*" if found["back"] else "c", pattern)
    hidden = _HIDES.search(plain)
    plain = _GROUP_HEAD.sub("(", plain)
    if hidden or re.search(r"\)[*+{]", plain):
        message = "a pattern of the task repeats what repeats"
        raise UnsafePatternError(message)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(pattern), plain
    except (re.error, RecursionError, OverflowError) as error:
        message = f"a pattern of the task is none to Python: {error}"
        raise UnsafePatternError(message) from error


@dataclass
class _Group:
    """A group that is being read: what its present alternative and those before it come to."""

    work: int = 0
    ways: int = 1
    work_before: int = 0
    ways_before: int = 0

    def follow(self, work: int, ways: int) -> None:
        """Add a part: it is tried on every way that leads to it."""
        self.work += self.ways * work
        self.ways *= ways

    def another(self) -> None:
        """Begin the next alternative."""
        self.work_before, self.ways_before = self.work_before + self.work, self.ways_before + self.ways
        self.work, self.ways = 0, 1


def _places(pattern: str, plain: str, text: str) -> int:
    """Count where in a text a pattern may begin."""
    beginning = _BEGINNING.match(pattern)
    if beginning is None or "|" in plain:
        return len(text) + 1
    return sum(1 for _ in re.finditer(f"(?={re.escape(beginning[0])})", text))


@lru_cache(maxsize=4096)
def _work(plain: str, length: int) -> int:
    """Count what is looked at, at most, when a pattern is tried at one place of a text of so many characters."""
    groups = [_Group()]
    for part in _PART.finditer(plain):
        if part["many"]:
            groups[-1].follow(length, length)
        elif part["maybe"]:
            groups[-1].follow(1, 2)
        elif part[0] == "(":
            groups.append(_Group())
        elif part[0] == "|":
            groups[-1].another()
        elif part[0] == ")" and len(groups) > 1:
            _close(groups)
        else:
            groups[-1].follow(1, 1)
    while len(groups) > 1:
        _close(groups)
    groups[0].another()
    return groups[0].work_before


def _close(groups: list[_Group]) -> None:
    inner = groups.pop()
    inner.another()
    groups[-1].follow(inner.work_before + 1, inner.ways_before)
