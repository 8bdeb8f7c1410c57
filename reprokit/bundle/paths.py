"""Which paths a payload may hold, and how any other name is made one of them.

A stored name must mean the same to `sha256sum`, BagIt, DVC, git and every file system, so it is plain ASCII without
`%` (BagIt escapes it), backslashes or line breaks (`sha256sum` escapes them), and no two names differ only in case.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import PurePosixPath

_ODD = re.compile(r"[^A-Za-z0-9._,+=@~()\[\] -]")
_LONGEST_PART = 200
_RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}
_CONTROL = 32


def is_safe(path: str) -> bool:
    """Tell whether a path from a foreign manifest stays inside the bundle and names one file the same everywhere."""
    if not path or "\\" in path or ":" in path or any(ord(character) < _CONTROL for character in path):
        return False
    return all(part not in {"", ".", ".."} for part in path.split("/"))


def _part(part: str) -> str:
    safe = _ODD.sub("_", part)[-_LONGEST_PART:].rstrip(". ") or "_"
    if safe.partition(".")[0].lower() in _RESERVED or set(safe) <= {"."}:
        safe = "_" + safe
    return safe.lstrip(" ") or "_"


def storable(path: PurePosixPath, taken: Collection[str]) -> str:
    """Find the name under which a file can be stored; the name itself when it can be.

    `taken` holds the names given so far, in lower case.
    """
    plain = "/".join(_part(part) for part in path.parts if part not in {"/", ".", ".."})
    name, count = plain, 1
    while name.lower() in taken:
        count += 1
        name = f"{plain}~{count}"
    return name
