"""Paths of the original machine, pointed to where the same things are in a re-run."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from reprokit.rerun.parts import Part, Parts, Place


@dataclass(frozen=True, kw_only=True)
class Relocation:
    """Where folders of the original machine are now.

    `checkouts` pairs the root of each restored checkout with its place; `mapped` is what the user said (`--map`).
    """

    checkouts: tuple[tuple[str, Place], ...] = ()
    mapped: Mapping[str, str] = field(default_factory=dict)

    def path(self, path: str) -> Part:
        """Give the new place of an absolute path; the path itself when it lies in none of the folders."""
        plain = posixpath.normpath(path)
        best: tuple[int, Part] | None = None
        folders: list[tuple[str, str | Place]] = [*self.checkouts, *self.mapped.items()]
        for old, new in folders:
            root = posixpath.normpath(old)
            if plain != root and not plain.startswith(root.rstrip("/") + "/"):
                continue
            if best is None or len(root) > best[0]:
                best = len(root), _below(new, plain[len(root) :].lstrip("/"))
        return path if best is None else best[1]

    def text(self, text: str) -> Parts:
        """Relocate an argument: the whole of it, or values as in `key=/path` and `a=/path,b=/path`."""
        if text.startswith("/"):
            return (self.path(text),)
        found: list[Part] = []
        for at, piece in enumerate(text.split(",")):
            before, separator, value = piece.rpartition("=")
            place = self.path(value) if value.startswith("/") else value
            _append(found, ("," if at else "") + before + separator)
            _append(found, place)
        return tuple(found) or ("",)


def _below(new: str | Place, rest: str) -> Part:
    if isinstance(new, Place):
        return Place(new.folder, posixpath.join(new.path, rest) if rest else new.path)
    return posixpath.join(new, rest) if rest else new


def _append(parts: list[Part], part: Part) -> None:
    if isinstance(part, str) and parts and isinstance(parts[-1], str):
        parts[-1] += part
    elif part != "":
        parts.append(part)


def list_of_paths(text: str, relocation: Relocation) -> Parts:
    """Relocate each of a list of paths, as in `PYTHONPATH`."""
    found: list[Part] = []
    for at, piece in enumerate(text.split(":")):
        for part in ((":",) if at else ()) + relocation.text(piece):
            _append(found, part)
    return tuple(found) or ("",)
