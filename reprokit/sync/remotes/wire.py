"""What this process and the one that carries objects say to each other: a line of JSON each.

An object is a file of DVC's, named by the MD5 of its bytes; a listing's name ends in `.dir`.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from msgspec import Struct

from reprokit import talk

# What stands in the way: dvc itself is missing, or the part of it for this kind of remote; the configuration is wrong,
# or would start a stranger's program; the remote does not do what it was asked.
Trouble: TypeAlias = Literal["dvc", "extra", "configuration", "program", "remote"]


class Open(Struct, frozen=True, kw_only=True, tag=True):
    """Use the remote of this name, as the DVC configuration of the archive at `root` describes it."""

    root: str
    name: str


class Measure(Struct, frozen=True, kw_only=True, tag=True):
    """Tell the size of some objects."""

    objects: list[str]


class Send(Struct, frozen=True, kw_only=True, tag=True):
    """Put files on the remote as objects: object → path here."""

    files: dict[str, str]


class Fetch(Struct, frozen=True, kw_only=True, tag=True):
    """Get objects into files: object → path here. More than `most` bytes of an object are not accepted."""

    files: dict[str, str]
    most: dict[str, int]


class Enumerate(Struct, frozen=True, kw_only=True, tag=True):
    """Name all listings that there are."""


class Opened(Struct, frozen=True, kw_only=True, tag=True):
    """The remote answers. `present` says whether the folder or bucket it names is there; null when it does not tell.

    `makes_folders` is true where sending makes a folder that is missing.
    """

    present: bool | None
    makes_folders: bool


class Moved(Struct, frozen=True, kw_only=True, tag=True):
    """So many more bytes have been moved."""

    octets: int


class Finished(Struct, frozen=True, kw_only=True, tag=True):
    """An object was measured, sent or fetched. `size` is in bytes; null when the remote has no such object."""

    object: str
    size: int | None


class Enumerated(Struct, frozen=True, kw_only=True, tag=True):
    """Some of the listings, and their sizes in bytes."""

    listings: dict[str, int]


class Done(Struct, frozen=True, kw_only=True, tag=True):
    """All that was asked for is done."""


class Failed(Struct, frozen=True, kw_only=True, tag=True):
    """It cannot be done; what was under way is given up."""

    trouble: Trouble
    reason: str


Request: TypeAlias = Open | Measure | Send | Fetch | Enumerate
Answer: TypeAlias = Opened | Moved | Finished | Enumerated | Done | Failed

LISTING = re.compile(r"[0-9a-f]{32}\.dir")
"""The name of a listing."""

_lines: talk.Lines[Request, Answer] = talk.Lines(Request, Answer)
encode, request, answer = _lines.encode, _lines.request, _lines.answer
