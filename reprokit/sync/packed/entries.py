"""What a packed file consists of, what may be in one, and how it is told that one cannot be used."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_NEVER = re.compile(r"[\x00-\x1f\x7f\\]")
_DRIVE = re.compile(r"[A-Za-z]:")
_LONGEST = 4096  # bytes of a name

DAMAGED = "get it again: a copy that was cut short or changed on its way looks like this"
REPACK = "have it packed again from the bundle's folder alone, as `tar -cf FILE.tar FOLDER` does"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The most that is accepted of a packed file, whatever it says of itself.

    `file` and `total` are bytes when unpacked; together they may be `ratio` times what is packed, and `slack` bytes
    more: the text of a bundle is compressed already, so packing it again gains little.
    """

    entries: int = 1_000_000
    file: int = 1 << 38
    total: int = 1 << 40
    ratio: int = 200
    slack: int = 64 << 20


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing in a packed file: `size` in bytes, of a file only; `target` is the file that a hard link stands for."""

    name: str
    kind: Literal["file", "folder", "link"] = "file"
    size: int = 0
    target: str = ""


Packed = tuple[Entry, Iterable[bytes]]
"""An entry and its bytes. They can be had until the next entry is asked for; those of a link are not among them."""


class UnusableError(Exception):
    """A packed file cannot be used: why, which may name an entry, and what to do."""

    def __init__(self, why: str, *, hint: str = REPACK) -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


def named(data: bytes) -> str:
    """Read the name of an entry; a leading `./` and a trailing slash say nothing.

    Raises:
        UnusableError: it leads out of the folder it is unpacked into, or means different things to different programs.
    """
    name = data.decode("utf-8", errors="surrogateescape")
    if len(data) > _LONGEST or _NEVER.search(name) or _DRIVE.match(name) or name.startswith("/"):
        raise UnusableError(f"the entry `{shown(name)}` has a name that may lead elsewhere")
    parts = name.removesuffix("/").split("/")
    while parts and parts[0] == ".":
        parts = parts[1:]
    if any(part in {"", ".", ".."} for part in parts):
        raise UnusableError(f"the entry `{shown(name)}` has a name that may lead elsewhere")
    return "/".join(parts)


def shown(name: str) -> str:
    """Write a name for people, whatever bytes it has, and not all of an endless one."""
    told = name.encode(errors="replace").decode()
    return told if len(told) <= 200 else f"{told[:200]}…"  # noqa: PLR2004 - enough to find it
