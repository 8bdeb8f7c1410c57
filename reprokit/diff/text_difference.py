"""What lies between two texts, in pieces a person can read.

Lines are aligned first, then the words of what is left of them. The two texts may be hostile: an alignment that would
take long is given up for a coarser one, so that time and memory grow no faster than the texts do.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal

from msgspec import Struct

Pair = tuple[int, int]
Run = tuple[int, int, int]
"""Where equal units begin in either list, and how many they are."""

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# Scripts without spaces between words are compared sign by sign.
_SIGNS = r"\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_SIGNS}]|[^\W{_SIGNS}][^\W{_SIGNS}\u0300-\u036f]*|[^\S\n]+|\n|[^\w\s]")
_BLANK = re.compile(r"[^\S\n]*")

_MOST_UNITS = 100_000
_MOST_CHARACTERS = 200_000
_MOST_EDITS = 200
_STEPS = 6_000_000
_DEPTH = 4
_RELATED = 0.3


class Piece(Struct, frozen=True, kw_only=True):
    """A stretch of text that both texts have, or only one of them."""

    kind: Literal["same", "removed", "added"]
    text: str


def pieces(one: str, other: str) -> list[Piece]:
    """Take two texts apart into what both have, what only `one` has, and what only `other` has.

    The pieces that are `same` or `removed`, joined, are `one`; those that are `same` or `added` are `other`. No piece
    is empty, no two neighbours are of one kind, and what was removed stands before what was added in its place.
    Swapping the texts swaps `removed` and `added` and nothing else.

    Equal lines and words are found by the greedy algorithm of Myers (Algorithmica 1, 1986) as long as few edits
    do; else between lines or words that each text has once (Bram Cohen's
    patience diff).
    """
    if one > other:
        return _joined((added, removed, same) for removed, added, same in _changes(other, one))
    return _joined(_changes(one, other))


Change = tuple[str, str, str]
"""What was removed, what was added in its place, and what is the same after it."""


def _changes(one: str, other: str) -> Iterator[Change]:
    head, left, right, tail = _trimmed(one, other, "\n")
    yield "", "", head
    hunks = list(_aligned(_LINE.findall(left), _LINE.findall(right)))
    edits = min(_MOST_EDITS, _STEPS // max(len(left) + len(right), 1))
    for removed, added, same in hunks:
        yield from _words(removed, added, edits)
        yield "", "", same
    yield "", "", tail


def _words(removed: str, added: str, edits: int) -> Iterator[Change]:
    head, left, right, tail = _trimmed(removed, added, " ")
    yield "", "", head
    if left and right and len(left) + len(right) <= _MOST_CHARACTERS:
        found = list(_aligned(_WORD.findall(left), _WORD.findall(right), edits))
        shared = sum(_inked(same) for same in [head, tail, *(same for *_, same in found)])
        if shared >= _RELATED * min(_inked(removed), _inked(added)):
            yield from _without_islands(found)
            left = right = ""
    yield left, right, tail


def _inked(text: str) -> int:
    return len("".join(text.split()))


def _without_islands(changes: list[Change]) -> Iterator[Change]:
    """Let a blank between two changes be part of the change, so that a new phrase is one piece."""
    following = chain(changes[1:], [("", "", "")])
    for (removed, added, same), after in zip(changes, following, strict=True):
        if any((removed, added)) and any(after[:2]) and _BLANK.fullmatch(same):
            yield removed + same, added + same, ""
        else:
            yield removed, added, same


def _joined(changes: Iterable[Change]) -> list[Piece]:
    found: list[Piece] = []
    removed: list[str] = []
    added: list[str] = []
    same: list[str] = []

    def write(kind: Literal["same", "removed", "added"], texts: list[str]) -> None:
        if text := "".join(texts):
            found.append(Piece(kind=kind, text=text))
        texts.clear()

    for left, right, both in changes:
        if left or right:
            write("same", same)
        removed.append(left)
        added.append(right)
        if both:
            write("removed", removed)
            write("added", added)
            same.append(both)
    write("same", same)
    write("removed", removed)
    write("added", added)
    return found


def _trimmed(one: str, other: str, boundary: str) -> tuple[str, str, str, str]:
    """Part the start and the end that both texts share, up to a boundary, from what lies between."""
    start = one.rfind(boundary, 0, _shared(one, other)) + 1
    if len(one) == len(other) and one == other:
        start = len(one)
    left, right = one[start:], other[start:]
    end = _shared(left[::-1], right[::-1])
    cut = left.find(boundary, len(left) - end) + 1
    if not end or not cut:
        return one[:start], left, right, ""
    return one[:start], left[:cut], right[: len(right) - (len(left) - cut)], left[cut:]


def _shared(one: str, other: str) -> int:
    """Count the characters at the start that two texts share."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _aligned(one: list[str], other: list[str], edits: int | None = None) -> Iterator[Change]:
    """Pair the units of two lists; the changes, joined, are the two lists."""
    runs: list[Run] = []
    if max(len(one), len(other)) <= _MOST_UNITS:
        numbers: dict[str, int] = {}
        left, right = ([numbers.setdefault(unit, len(numbers)) for unit in units] for units in (one, other))
        most = min(_MOST_EDITS, _STEPS // max(len(one) + len(other), 1)) if edits is None else edits
        runs = _runs(left, right, most, _DEPTH)
    at, beside = 0, 0
    for i, j, length in runs:
        yield "".join(one[at:i]), "".join(other[beside:j]), "".join(one[i : i + length])
        at, beside = i + length, j + length
    yield "".join(one[at:]), "".join(other[beside:]), ""


def _runs(one: Sequence[int], other: Sequence[int], edits: int, depth: int) -> list[Run]:
    """Find equal units in the same order in both lists, from the first to the last."""
    shortest = min(len(one), len(other))
    head = next((at for at in range(shortest) if one[at] != other[at]), shortest)
    rest = shortest - head
    tail = next((at for at in range(rest) if one[-1 - at] != other[-1 - at]), rest)
    left, right = one[head : len(one) - tail], other[head : len(other) - tail]
    found: list[Run] | None = None
    if left and right:
        found = _shortest_edit(left, right, edits)
        if found is None and depth:
            found = _between_anchors(left, right, edits, depth - 1)
    every = [
        (0, 0, head),
        *((head + i, head + j, length) for i, j, length in found or []),
        (len(one) - tail, len(other) - tail, tail),
    ]
    return [run for run in every if run[2]]


def _between_anchors(one: Sequence[int], other: Sequence[int], edits: int, depth: int) -> list[Run]:
    anchors = _anchors(one, other)
    if not anchors:
        return []
    found: list[Run] = []
    at, beside = 0, 0
    for i, j in chain(anchors, [(len(one), len(other))]):
        inner = _runs(one[at:i], other[beside:j], edits, depth)
        found += ((at + x, beside + y, length) for x, y, length in inner)
        found.append((i, j, min(1, len(one) - i)))
        at, beside = i + 1, j + 1
    return found


def _anchors(one: Sequence[int], other: Sequence[int]) -> list[Pair]:
    """Choose the longest rising row of units that either list has exactly once."""
    once = {unit for unit, count in Counter(one).items() if count == 1}
    once &= {unit for unit, count in Counter(other).items() if count == 1}
    beside = {unit: at for at, unit in enumerate(other) if unit in once}
    lowest: list[int] = []
    ends: list[int] = []
    candidates = [(at, beside[unit]) for at, unit in enumerate(one) if unit in once]
    before: list[int] = []
    for number, (_, place) in enumerate(candidates):
        length = bisect_left(lowest, place)
        lowest[length : length + 1] = [place]
        ends[length : length + 1] = [number]
        before.append(ends[length - 1] if length else -1)
    row: list[Pair] = []
    number = ends[-1] if ends else -1
    while number >= 0:
        row.append(candidates[number])
        number = before[number]
    return row[::-1]


def _shortest_edit(one: Sequence[int], other: Sequence[int], most: int) -> list[Run] | None:
    """Align two lists by the fewest insertions and deletions; `None` when it takes more than `most`."""
    width, height = len(one), len(other)
    furthest = {1: 0}
    trace: list[dict[int, int]] = []
    for edits in range(min(most, width + height) + 1):
        trace.append(dict(furthest))
        for diagonal in range(-edits, edits + 1, 2):
            down = _down(furthest, diagonal, edits)
            x = furthest[diagonal + 1] if down else furthest[diagonal - 1] + 1
            y = x - diagonal
            while x < width and y < height and one[x] == other[y]:
                x, y = x + 1, y + 1
            furthest[diagonal] = x
            if x >= width and y >= height:
                return _walked_back(trace, x, y)
    return None


def _down(furthest: dict[int, int], diagonal: int, edits: int) -> bool:
    """Tell whether an insertion leads further on a diagonal than a deletion does."""
    return diagonal == -edits or (diagonal != edits and furthest[diagonal - 1] < furthest[diagonal + 1])


def _walked_back(trace: list[dict[int, int]], x: int, y: int) -> list[Run]:
    runs: list[Run] = []
    for edits in range(len(trace) - 1, -1, -1):
        diagonal = x - y
        down = _down(trace[edits], diagonal, edits)
        start = trace[edits][diagonal + 1] if down else trace[edits][diagonal - 1] + 1
        runs.append((start, start - diagonal, x - start))
        x, y = (start, start - diagonal - 1) if down else (start - 1, start - diagonal)
    return runs[::-1]
