"""What the two sides said of one sample, as people quote it."""

from __future__ import annotations

from reprokit.bundle.values import Json
from reprokit.diff.difference import Said, Stage
from reprokit.diff.shown.legible import number, printable, quoted, shorten
from reprokit.diff.shown.words import ARROW

ABSENT = "absent"
_NAME = 60


def said(side: Said, stage: Stage) -> Json:
    """Give what a side saved for a stage other than the score; what lies in a list of one is taken out of it."""
    match stage:
        case "document":
            return side.document
        case "prompt":
            return side.prompt
        case "target":
            return side.target
        case "response":
            return side.responses[0] if len(side.responses) == 1 else side.responses
        case "answer":
            return side.answer
        case "score":
            return None


def as_it_came(one: Said, other: Said) -> bool:
    """Tell whether the answers say the same as the responses they were taken from."""
    return all(quoted(side.responses) == quoted(side.answer) for side in (one, other))


def marks_that_differ(one: Said, other: Said) -> str:
    """Write the marks that are not the same on both sides."""
    words = []
    for name in sorted(one.scores.keys() | other.scores.keys()):
        before, after = one.scores.get(name), other.scores.get(name)
        if before != after:
            marks = (ABSENT if score is None else number(score) for score in (before, after))
            words.append(f"{shorten(printable(name), _NAME)} {ARROW.join(marks)}")
    return ", ".join(words)
