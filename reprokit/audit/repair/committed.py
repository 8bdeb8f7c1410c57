"""What git's HEAD holds of some files of an archive."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reprokit import git
from reprokit.archive.layout import Archive
from reprokit.archive.small_file import LARGEST

_NAMED = 4  # mode, type, name, size


@dataclass(frozen=True, kw_only=True)
class Committed:
    """Files in HEAD: path in the archive → bytes. `trouble` says why git could not tell; then nothing is known."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    trouble: str | None = None


def committed(archive: Archive, paths: Sequence[str], *, most: int = LARGEST) -> Committed:
    """Read files, or all files of folders, as HEAD holds them; a repository without a commit holds none.

    What has more than `most` bytes, or is no regular file, is left out.
    """
    try:
        names = dict(_listed(archive, paths, most))
        return Committed(files=_contents(archive, names))
    except git.NoRepositoryError:
        return Committed()
    except git.GitError as error:
        return Committed() if _is_unborn(archive) else Committed(trouble=error.message)


def _listed(archive: Archive, paths: Sequence[str], most: int) -> Iterator[tuple[str, bytes]]:
    listing = ["ls-tree", "-r", "-l", "-z", "HEAD", "--", *paths]
    for row in git.run(listing, directory=archive.root).split(b"\0"):
        described, _, path = row.partition(b"\t")
        words = described.split()
        if len(words) == _NAMED and words[0].startswith(b"100") and int(words[3]) <= most:
            yield os.fsdecode(path), words[2]


def _contents(archive: Archive, names: Mapping[str, bytes]) -> dict[str, bytes]:
    if not names:
        return {}
    asked = b"".join(name + b"\n" for name in names.values())
    said = git.run(["cat-file", "--batch"], directory=archive.root, stdin=asked)
    found: dict[str, bytes] = {}
    start = 0
    for path in names:
        end = said.index(b"\n", start)
        size = int(said[start:end].split()[-1])
        found[path] = said[end + 1 : end + 1 + size]
        start = end + size + 2
    return found


def _is_unborn(archive: Archive) -> bool:
    try:
        return git.answer(["rev-parse", "--verify", "--quiet", "HEAD"], directory=archive.root) is None
    except git.GitError:
        return False
