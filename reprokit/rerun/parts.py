"""What a command line of a re-run consists of: text, places of the workspace, and slots of secrets.

A re-run happens in a workspace: `source` (the checkout that the command was run in), `sources/<name>` (the others that
code came from), `environment` (the rebuilt Python), `huggingface` (models and data at their revisions) and `outputs`
(where results go, so that a re-run never touches the original's).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from reprokit.bundle.values import SecretSlot

Folder = Literal["source", "sources", "environment", "outputs", "huggingface"]


@dataclass(frozen=True)
class Place:
    """A path below one of the workspace's folders."""

    folder: Folder
    path: str = ""

    def __str__(self) -> str:
        """Write it relative to the workspace."""
        return f"{self.folder}/{self.path}" if self.path else self.folder


Part: TypeAlias = str | Place | SecretSlot
Parts: TypeAlias = tuple[Part, ...]

_TOKEN = re.compile("\0([0-9]{1,9})\0")


@dataclass(frozen=True)
class Opaque:
    """A command line for somebody who knows nothing of parts: they stand in its `words` as opaque pieces.

    A place stands there as a path that ends in its own name, so that a program is still known by it. NUL, which marks
    them, can be in no argument.
    """

    words: tuple[str, ...]
    known: tuple[Part, ...]

    def parts(self, words: Sequence[str]) -> tuple[Parts, ...]:
        """Read a command line back that was made from the words."""
        return tuple(_parts(word, self.known) for word in words)


def opaque(argv: Sequence[Parts]) -> Opaque:
    """Write places and secrets of a command line as opaque pieces of words."""
    known: list[Part] = []

    def word(part: Part) -> str:
        if isinstance(part, str):
            return part
        known.append(part)
        return f"\0{len(known) - 1}\0{_named(part)}"

    words = tuple("".join(map(word, parts)) for parts in argv)
    return Opaque(words, tuple(known))


def _named(part: Part) -> str:
    return "/" + part.path.rpartition("/")[2] if isinstance(part, Place) and part.path else ""


def _parts(word: str, known: Sequence[Part]) -> Parts:
    pieces = _TOKEN.split(word)
    found: list[Part] = [pieces[0]] if pieces[0] or len(pieces) == 1 else []
    for number, text in zip(pieces[1::2], pieces[2::2], strict=True):
        part = known[int(number)]
        found.append(part)
        if rest := text.removeprefix(_named(part)):
            found.append(rest)
    return tuple(found)
