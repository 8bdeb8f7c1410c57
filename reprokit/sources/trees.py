"""How many files a commit has, told without listing them.

Trees that name each other several times, level upon level, are a few hundred bytes that stand for more files than any
memory holds; git lists them all.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from reprokit.errors import InvalidRecordError
from reprokit.sources.rebuilding import run, short

MOST_FILES = 2_000_000
# Git takes any mode of a folder for one.
_FOLDER = re.compile(b"0*4[0-7]{4}")
_SHA1, _SHA256 = (hashlib.new(name).digest_size for name in ("sha1", "sha256"))


def refuse_endless(repository: Path, commit: str) -> None:
    """Let no commit pass that has more files than any repository.

    Raises:
        InvalidRecordError: it has.
        GitError: git cannot read its trees.
    """
    listing = ["rev-list", "--objects", "--no-object-names", "--no-walk", "--filter=blob:none", "--end-of-options"]
    names = run(repository, *listing, commit)
    digest_size = _SHA256 if len(commit) == 2 * _SHA256 else _SHA1
    folders = _folders(run(repository, "cat-file", "--batch", stdin=names), digest_size)
    if any(count > MOST_FILES for count in _counts(folders).values()):
        raise InvalidRecordError(f"the commit {short(commit)}… has more files than any repository")


def _folders(told: bytes, digest_size: int) -> dict[bytes, tuple[int, list[bytes]]]:
    """Read what `cat-file --batch` tells of trees: how many files each holds itself, and its folders."""
    found: dict[bytes, tuple[int, list[bytes]]] = {}
    at = 0
    while (end := told.find(b"\n", at)) >= 0:
        name, kind, *size = told[at:end].split(b" ")
        at = end + 1
        if not size:  # it is missing
            continue
        until = at + int(size[0])
        if kind == b"tree":
            found[bytes.fromhex(name.decode("ascii"))] = _members(told[at:until], digest_size)
        at = until + 1
    return found


def _members(tree: bytes, digest_size: int) -> tuple[int, list[bytes]]:
    files, folders, at = 0, [], 0
    while (end := tree.find(b"\0", at)) >= 0:
        mode = tree[at:end].partition(b" ")[0]
        at = end + 1 + digest_size
        if _FOLDER.fullmatch(mode):
            folders.append(tree[end + 1 : at])
        else:
            files += 1
    return files, folders


def _counts(trees: dict[bytes, tuple[int, list[bytes]]]) -> dict[bytes, int]:
    """Count the files of each tree, those of its folders included; each tree is counted once."""
    counts: dict[bytes, int] = {}
    for tree in trees:
        waiting = [tree]
        while waiting:
            files, folders = trees[waiting[-1]]
            open_ones = [folder for folder in folders if folder in trees and folder not in counts]
            if open_ones:
                waiting += set(open_ones)
            else:
                count = files + sum(counts.get(folder, 0) for folder in folders)
                counts[waiting.pop()] = min(count, MOST_FILES + 1)
    return counts
