"""The set-ups of a comparison, as lines of a terminal: what is most likely to move a score first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby

from reprokit.diff.difference import Change, CodeChange, Difference, Ignored, NotCompared
from reprokit.diff.shown.legible import printable, shorten, shorten_both, value
from reprokit.diff.shown.words import ARROW, WIDTH, count

_MOST_CHANGES = 12
_MOST_AREAS = 4
_MOST_FILES = 6
_NAME = 34
_ABSENT = "absent"
_SHORT_PATCH = 30


def setup_lines(difference: Difference, *, everything: bool) -> Iterator[str]:
    """Write what changed in the set-up, grouped by how likely it is to move a score."""
    changes = difference.setup
    likely = sum(change.effect == "likely" for change in changes)
    moves = f", {likely} likely to move a score" if likely else ", none likely to move a score" if changes else ""
    yield f"set-up: {count(len(changes), 'change')}{moves}" if changes else "set-up: no change"
    area = _width([change.area for change in changes])
    name = _width([printable(change.name) for change in changes])
    for effect, group in groupby(changes, key=lambda change: change.effect):
        listed = list(group)
        shown = listed if everything else listed[: 0 if effect == "unlikely" else _MOST_CHANGES]
        for why in dict.fromkeys(change.why for change in shown):
            yield f"  {effect}: {why}"
            for change in (each for each in shown if each.why == why):
                title = shorten(printable(change.name), name)
                yield f"    {change.area:{area}}  {title:{name}}  {_change(change, area + name + 2)}"
        if len(listed) > len(shown):
            more = f"{len(listed) - len(shown)} more" if shown else str(len(listed))
            yield f"  {effect}: … {more}, `--all` shows them"
    yield from _not_compared(difference.not_compared, everything=everything)
    yield from _ignored(difference.ignored, everything=everything)


def _width(cells: list[str]) -> int:
    return min(max((len(cell) for cell in cells), default=0), _NAME)


def _change(change: Change | Ignored, taken: int) -> str:
    note = f"  ({printable(change.note)})" if isinstance(change, Change) and change.note else ""
    note = shorten(note, WIDTH // 2)
    room = max(WIDTH - taken - len(note) - len(ARROW) - 6, 24)
    if change.kind == "added":
        return f"{_ABSENT}{ARROW}{shorten(value(change.after), room)}{note}"
    if change.kind == "removed":
        return f"{shorten(value(change.before), room)}{ARROW}{_ABSENT}{note}"
    return ARROW.join(shorten_both(value(change.before), value(change.after), room // 2)) + note


def _not_compared(found: list[NotCompared], *, everything: bool) -> Iterator[str]:
    if not found:
        return
    if not everything:
        sides = Counter("neither" if item.unknown_in == "both" else "only one" for item in found)
        words = ", ".join(f"{number} known of {side}" for side, number in sorted(sides.items()))
        areas = list(dict.fromkeys(item.area for item in found))
        areas = areas if len(areas) <= _MOST_AREAS else [*areas[:_MOST_AREAS], "…"]
        yield f"  not compared: {words} ({', '.join(areas)})"
        return
    for item in found:
        name = item.area if item.name == "*" else f"{item.area} {item.name}"
        side = "neither side" if item.unknown_in == "both" else "b" if item.unknown_in == "a" else "a"
        yield f"  not compared: {name}: known of {side if side == 'neither side' else f'{side} only'}: {item.reason}"


def _ignored(found: list[Ignored], *, everything: bool) -> Iterator[str]:
    if not found:
        return
    rules = ", ".join(
        f"{rule} {number}" for rule, number in sorted(Counter(r for item in found for r in item.rules).items())
    )
    yield f"  ignored as noise: {len(found)} ({rules}){'' if everything else '; `--all` shows them'}"
    if everything:
        for item in found:
            yield f"    {item.area} {shorten(printable(item.name), _NAME)}  {_change(item, len(item.area) + _NAME)}"


def code_lines(difference: Difference, *, everything: bool) -> Iterator[str]:
    """Write what changed in the code; the patch itself only with everything."""
    for change in difference.code:
        yield f"code of {printable(change.name)}: {_summary(change)}"
        if change.reason is not None:
            yield f"  {printable(change.reason)}"
        files = change.files if everything else change.files[:_MOST_FILES]
        for file in files:
            lines = "binary" if file.added is None else f"+{file.added} -{file.removed}"
            yield f"  {file.kind:8}  {lines:10}  {printable(file.path)}"
        if len(files) < len(change.files):
            yield f"  … and {len(change.files) - len(files)} more files"
        patch = (change.patch or "").splitlines()
        if everything or len(patch) <= _SHORT_PATCH:
            yield from (f"    {printable(line)}" for line in patch)
        else:
            yield f"  the patch has {len(patch)} lines: `--all` shows it"


def _summary(change: CodeChange) -> str:
    if change.learnt_from == "nothing":
        return "what changed is not known"
    added = sum(file.added or 0 for file in change.files)
    removed = sum(file.removed or 0 for file in change.files)
    whence = ", by the patches alone" if change.learnt_from == "patches" else ""
    return f"{count(len(change.files), 'file')} changed, +{added} -{removed}{whence}"
