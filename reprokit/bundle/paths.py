"""Which paths a payload may hold, and how any other name is made one of them.

A stored name must mean the same to `sha256sum`, BagIt, DVC, git and every file system, so it is plain ASCII without
`%` (BagIt escapes it), backslashes or line breaks (`sha256sum` escapes them), and no two names differ only in case.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

_ODD = re.compile(r"[^A-Za-z0-9._,+=@~()\[\] -]")
_NEVER = re.compile(r"[\x00-\x1f\\:]")
_LONGEST_PART = 200
_LONGEST_NAME = 255
_LONGEST_PATH = 2048
_RESERVED = {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}


def is_safe(path: str) -> bool:
    """Tell whether a path from a foreign manifest stays inside the bundle and names one file the same everywhere."""
    if not path or _NEVER.search(path):
        return False
    parts = path.split("/")
    if len(path.encode(errors="replace")) > _LONGEST_PATH:
        return False
    return all(part not in {"", ".", ".."} and len(part.encode(errors="replace")) <= _LONGEST_NAME for part in parts)


def _part(part: str) -> str:
    safe = _ODD.sub("_", part)[-_LONGEST_PART:].rstrip(". ") or "_"
    if safe.partition(".")[0].lower() in _RESERVED or set(safe) <= {"."}:
        safe = "_" + safe
    return safe.lstrip(" ") or "_"


def _clashes(name: str, taken: Mapping[str, str]) -> bool:
    """Tell whether a file cannot have this name beside those taken, on a file system that ignores case too."""
    lower = name.lower()
    return any(other in taken for other in (lower, lower + ".zst", lower.removesuffix(".zst")))


def storable(path: PurePosixPath, taken: Mapping[str, str]) -> str:
    """Find the name under which a file can be stored; the name itself when it can be.

    `taken` maps the names of files and folders given so far, in lower case, to their spelling; a folder ends in `/`.
    """
    parts = [_part(part) for part in path.parts if part not in {"/", ".", ".."}]
    folder = ""
    for part in parts[:-1]:
        name, count = f"{folder}{part}", 1
        while taken.get(name.lower(), f"{name}/") != f"{name}/":
            count += 1
            name = f"{folder}{part}~{count}"
        folder = f"{name}/"
    name, count = f"{folder}{parts[-1]}", 1
    while _clashes(name, taken):
        count += 1
        name = f"{folder}{parts[-1]}~{count}"
    return name


def take(name: str, taken: dict[str, str]) -> None:
    """Note that a file of this name is stored, and the folders it lies in."""
    taken[name.lower()] = name
    folder = name.rpartition("/")[0]
    while folder:
        taken[folder.lower()] = f"{folder}/"
        folder = folder.rpartition("/")[0]
