"""What changed between two texts, as lines of a terminal: `[-removed-]` and `{+added+}`, as git's word diff has it."""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.diff.shown.legible import printable
from reprokit.diff.text_difference import pieces

_CONTEXT = 60


def _kept(text: str, *, first: bool, last: bool) -> str:
    """Leave out the middle of a stretch that both have, but for what stands next to a change."""
    before = "" if first else text[:_CONTEXT]
    after = "" if last else text[-_CONTEXT:]
    return text if len(text) <= len(before) + len(after) + 1 else f"{before}…{after}"


def changed_lines(one: str, other: str, *, width: int) -> Iterator[str]:
    """Write both texts in one, with what only one of them has in brackets, as lines of at most `width` characters."""
    found = pieces(one, other)
    marked: list[str] = []
    for place, piece in enumerate(found):
        if piece.kind == "same":
            marked.append(_kept(piece.text, first=place == 0, last=place == len(found) - 1))
        else:
            marked.append(f"[-{piece.text}-]" if piece.kind == "removed" else f"{{+{piece.text}+}}")
    for line in "".join(marked).split("\n"):
        text = printable(line)
        yield from (text[at : at + width] for at in range(0, max(len(text), 1), width))
