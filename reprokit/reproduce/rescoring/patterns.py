"""Regular expressions out of a foreign record: used only where they cannot keep the machine busy.

Python's `re` tries again and again where a pattern repeats what repeats. So a pattern is refused when it repeats a
group, or when a text is too long for the number of its repetitions: a pattern that repeats `k` single things one after
another looks at no more than about `n ** (k + 1)` places of a text of `n` characters.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

_LONGEST_PATTERN = 500
_MOST_OPTIONAL = 8
_MOST_STEPS = 50_000_000
_SINGLE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
"""An escaped character, or a class of them."""

_HIDES = re.compile(r"\(\?(#|[a-zA-Z-]*x)")
"""A comment, or the flag by which white space means nothing: either can stand between a group and its repetition."""

_GROUP_HEAD = re.compile(r"\(\?(?:[a-zA-Z-]+[:)]|P?<?[=!<]?|[:=!>])?")


class UnsafePatternError(ValueError):
    """A pattern that will not be tried on a text."""


def usable(pattern: str, text: str) -> re.Pattern[str]:
    """Compile a pattern that will be done with a text soon.

    Raises:
        UnsafePatternError: it may not, or it is no pattern.
    """
    compiled, repetitions = _compiled(pattern)
    if len(text) ** (repetitions + 1) > _MOST_STEPS and len(text) > 1:
        message = "a text is too long for a pattern of the task"
        raise UnsafePatternError(message)
    return compiled


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> tuple[re.Pattern[str], int]:
    if len(pattern) > _LONGEST_PATTERN:
        message = "a pattern of the task is too long"
        raise UnsafePatternError(message)
    plain = _SINGLE.sub("c", pattern)
    hidden = _HIDES.search(plain)
    plain = _GROUP_HEAD.sub("(", plain)
    if hidden or re.search(r"\)[*+{?]", plain) or plain.count("?") > _MOST_OPTIONAL:
        message = "a pattern of the task repeats what repeats"
        raise UnsafePatternError(message)
    repetitions = max(len(re.findall(r"[*+{]", branch)) for branch in _branches(plain))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(pattern), repetitions
    except (re.error, RecursionError, OverflowError) as error:
        message = f"a pattern of the task is none to Python: {error}"
        raise UnsafePatternError(message) from error


def _branches(plain: str) -> list[str]:
    """Split at `|` outside of groups."""
    branches, depth = [""], 0
    for character in plain:
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            branches.append("")
        else:
            branches[-1] += character
    return branches
