"""Room for a checkout within another one, whose tree is foreign and may hold links, or files of the same place."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from reprokit.errors import InvalidRecordError
from reprokit.sources import layout


@contextmanager
def room(workspace: Path, place: PurePosixPath) -> Iterator[Path]:
    """Give a folder to restore a checkout into, which comes to lie at its place in the workspace.

    Where the checkout around tracks files of that place itself, these stay: both had the same file.

    Raises:
        InvalidRecordError: a link or a file is on the way, or the two do not have the same file.
    """
    meant = workspace / place
    if place == layout.MAIN or place.parent == layout.OTHERS:
        yield meant
        return
    _refuse_detours(workspace, place)
    if not meant.is_dir() or not any(meant.iterdir()):
        yield meant
        return
    with tempfile.TemporaryDirectory(prefix=".nested-", dir=workspace) as folder:
        beside = Path(folder) / "checkout"
        yield beside
        _join(beside, meant, place)


def _refuse_detours(workspace: Path, place: PurePosixPath) -> None:
    for part in (*reversed(place.parents), place):
        try:
            facts = (workspace / part).lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(facts.st_mode):
            raise InvalidRecordError(f"nothing can be put in place at `{place}`: `{part}` is no folder")


def _join(beside: Path, meant: Path, place: PurePosixPath) -> None:
    for entry in sorted(beside.iterdir()):
        other = meant / entry.name
        if not other.is_symlink() and not other.exists():
            entry.rename(other)
        elif all(stat.S_ISDIR(each.lstat().st_mode) for each in (entry, other)):
            _join(entry, other, place / entry.name)
        elif _content(entry) != _content(other):
            raise InvalidRecordError(
                f"two checkouts have a file `{place / entry.name}`, and not the same",
                hint="`--without NAME` leaves one of them out",
            )


def _content(path: Path) -> tuple[str, bool, bytes]:
    facts = path.lstat()
    if stat.S_ISLNK(facts.st_mode):
        return "link", False, bytes(path.readlink())
    if stat.S_ISREG(facts.st_mode):
        return "file", bool(facts.st_mode & stat.S_IXUSR), path.read_bytes()
    return "folder", False, b""
