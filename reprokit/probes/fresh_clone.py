"""Which files lie just as a fresh clone of the commit would hold them, though their bytes are not those in git.

Attributes convert what is checked out: line ends, `$Id$`, encodings; and a file in Git LFS is a pointer in git. Git
looks at such a file again when its time stamp says little, for instance when it was written in the same second as the
index. Taken byte for byte it would seem changed, and what was just cloned would have a patch with all of LFS in it.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from reprokit import git
from reprokit.git import GitError
from reprokit.probes.scratch_repository import ScratchRepository

_CONVERTING = ("text", "crlf", "eol", "ident", "working-tree-encoding", "filter")
_POINTER = re.compile(
    rb"version https://\S+\n(?:ext-[^\n]+\n)*oid sha256:(?P<digest>[0-9a-f]{64})\nsize (?P<size>[0-9]+)\n"
)
_LONGEST_POINTER = 1024


def lying_as_cloned(repository: ScratchRepository, paths: Sequence[str]) -> dict[str, str]:
    """Find those paths that a clone of HEAD would hold with exactly these bytes, each with its `mode object` in HEAD.

    For a file in Git LFS that is the file behind the pointer. No filter is run.

    Raises:
        GitError: git cannot read the repository.
    """
    regular = [
        path for path in paths if (repository.root / path).is_file() and not (repository.root / path).is_symlink()
    ]
    told = (
        git.answer(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], directory=repository.root)
        if regular
        else None
    )
    if told is None:
        return {}
    clone = repository.beside("fresh-clone")
    clone.read("read-tree", told.decode("ascii").strip())
    attributes = _items(clone.read("check-attr", "--cached", "-z", "--stdin", *_CONVERTING, stdin=_listed(regular)))
    values = zip(attributes[::3], attributes[2::3], strict=True)
    converted = {path for path, value in values if value not in {"unspecified", "unset"}}
    committed = _entries(clone, converted) if converted else {}
    try:
        clone.read("checkout-index", "--quiet", "-z", "--stdin", stdin=_listed(committed))
    except GitError as error:
        if error.status is None:
            raise
        # A partial clone need not have them all: what could not be written is not as cloned.
    return {path: entry for path, entry in committed.items() if _same(clone.root / path, repository.root / path)}


def _items(told: bytes) -> list[str]:
    return os.fsdecode(told).split("\0")[:-1]


def _listed(paths: Sequence[str] | dict[str, str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def _entries(clone: ScratchRepository, wanted: set[str]) -> dict[str, str]:
    entries: dict[str, str] = {}
    for item in _items(clone.read("ls-files", "-z", "--stage")):
        facts, _, path = item.partition("\t")
        if path in wanted and facts.startswith("100"):
            entries[path] = facts.rpartition(" ")[0]
    return entries


def _same(cloned: Path, lying: Path) -> bool:
    try:
        return _hold_the_same(cloned, lying)
    except OSError:  # it went away, or cannot be read
        return False


def _hold_the_same(cloned: Path, lying: Path) -> bool:
    if not cloned.is_file() or cloned.stat().st_mode & 0o100 != lying.stat().st_mode & 0o100:
        return False
    if filecmp.cmp(cloned, lying, shallow=False):
        return True
    size = cloned.stat().st_size
    pointer = _POINTER.fullmatch(cloned.read_bytes()) if size <= _LONGEST_POINTER else None
    if pointer is None or lying.stat().st_size != int(pointer["size"]):
        return False
    with lying.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == pointer["digest"].decode("ascii")
