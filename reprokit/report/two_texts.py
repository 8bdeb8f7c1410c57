"""Two values beside each other, with what differs between them marked, and cut to what a page can bear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from reprokit.bundle.values import Json
from reprokit.diff.text_difference import Piece, pieces
from reprokit.report.legible_value import as_json, as_text, block

_AROUND = 500


class Run(Struct, frozen=True, kw_only=True):
    """A stretch of a text on a page; of `left out`, the text says how much it was."""

    kind: Literal["same", "removed", "added", "left out"]
    text: str


class Beside(Struct, frozen=True, kw_only=True):
    """A value on both sides: once when it is the same, else each by itself; `None` where there is none."""

    shared: list[Run] | None = None
    a: list[Run] | None = None
    b: list[Run] | None = None


def beside(one: Json, other: Json, most: int) -> Beside:
    """Set two values beside each other; `None` is a value that was not saved.

    Args:
        one: of a.
        other: of b.
        most: the characters of each that are shown at most. Of a longer text, what both sides share goes first.
    """
    if one is None or other is None:
        return Beside(a=_alone(one, most), b=_alone(other, most))
    left, right = as_text(one), as_text(other)
    if one == other:
        return Beside(shared=_alone(one, most))
    if left == right:
        left, right = as_json(one), as_json(other)
    found = pieces(left, right)
    return Beside(a=_side(found, "removed", most), b=_side(found, "added", most))


def _alone(value: Json, most: int) -> list[Run] | None:
    if value is None:
        return None
    return list(_within([Run(kind="same", text=as_text(value))], most))


def _side(found: list[Piece], kind: str, most: int) -> list[Run]:
    own = [piece for piece in found if piece.kind in {"same", kind}]
    if sum(len(piece.text) for piece in own) <= most:
        return [Run(kind=piece.kind, text=block(piece.text)) for piece in own]
    return list(_within((run for piece in own for run in _abridged(piece)), most))


def _abridged(piece: Piece) -> Iterator[Run]:
    if piece.kind != "same" or len(piece.text) <= 2 * _AROUND:
        yield Run(kind=piece.kind, text=piece.text)
        return
    yield Run(kind="same", text=piece.text[:_AROUND])
    yield _left_out(len(piece.text) - 2 * _AROUND)
    yield Run(kind="same", text=piece.text[-_AROUND:])


def _left_out(count: int) -> Run:
    return Run(kind="left out", text=f"… {count:,} characters left out …")


def _within(runs: Iterable[Run], most: int) -> Iterator[Run]:
    left, over = most, 0
    for run in runs:
        if run.kind == "left out":
            if not over:
                yield run
            continue
        if left and run.text:
            yield Run(kind=run.kind, text=block(run.text[:left]))
        over += max(len(run.text) - left, 0)
        left = max(left - len(run.text), 0)
    if over:
        yield _left_out(over)
