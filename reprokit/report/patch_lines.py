"""A patch, line by line, as a page shows it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from reprokit.diff.shown.legible import printable

MOST = 200_000
_HEADER = "diff "


class PatchLine(Struct, frozen=True, kw_only=True):
    """One line of a patch."""

    kind: Literal["header", "place", "added", "removed", "same"]
    text: str


class Patch(Struct, frozen=True, kw_only=True):
    """The lines of a patch, and how many are left out after them."""

    lines: list[PatchLine]
    left_out: int


def patch(text: str, most: int = MOST) -> Patch:
    """Read a patch as git writes it, whole lines up to `most` characters of it."""
    found: list[PatchLine] = []
    header = True
    every = text.removesuffix("\n").split("\n")
    size = 0
    for line in every:
        size += len(line) + 1
        if size > most:
            break
        header = line.startswith(_HEADER) or (header and not line.startswith("@@"))
        found.append(PatchLine(kind="header" if header else _kind(line), text=_line(line)))
    return Patch(lines=found, left_out=len(every) - len(found))


def _line(line: str) -> str:
    return "\t".join(printable(part) for part in line.split("\t"))


def _kind(line: str) -> Literal["place", "added", "removed", "same"]:
    match line[:1]:
        case "+":
            return "added"
        case "-":
            return "removed"
        case "@":
            return "place"
        case _:
            return "same"
