"""Putting what is damaged aside, and what is proven in its place: whoever is killed leaves the one or the other.

What is damaged first gets a second name, in a folder that is this copy's own, and is then replaced under its first.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from reprokit import clock
from reprokit.archive import durable, own_folders
from reprokit.archive.layout import Archive
from reprokit.bundle.bag import open_regular

FOLDER = "set-aside"


def new_folder(archive: Archive) -> Path:
    """Name a folder of its own for what one repair puts aside; it is made when there is something to put into it."""
    return archive.private / FOLDER / f"{clock.compact(clock.now())}-{secrets.token_hex(4)}"


class Aside:
    """The folder that things are put into."""

    def __init__(self, archive: Archive, folder: Path) -> None:
        self._archive = archive
        self._folder = folder

    def keep(self, path: Path, name: str) -> str | None:
        """Keep what stands at a path, which is about to be replaced; returns where, `None` when there is nothing.

        What is no regular file is moved, as it cannot be replaced by one.

        Raises:
            OSError: it cannot be kept; then it is where it was.
        """
        try:
            mode = path.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(mode):
            return self.move(path, name)
        target = self._target(name)
        try:
            os.link(path, target, follow_symlinks=False)
        except OSError:
            # On another file system, or one without links.
            _copy(path, target)
        return self._told(target)

    def move(self, path: Path, name: str) -> str:
        """Move what stands at a path.

        Raises:
            OSError: it cannot be moved.
        """
        target = self._target(name)
        with writable(path.parent):
            try:
                path.rename(target)
            except OSError as error:
                if error.errno != errno.EXDEV or not path.is_symlink():
                    raise
                target.symlink_to(path.readlink())
                path.unlink()
        durable.flush_folder(path.parent)
        return self._told(target)

    def _target(self, name: str) -> Path:
        durable.prepare(self._archive)
        target = self._folder / PurePosixPath(name)
        own_folders.require_folders(self._archive, target.parent)
        durable.make_folder(target.parent)
        number = 1
        while os.path.lexists(target):
            number += 1
            target = target.with_name(f"{PurePosixPath(name).name}~{number}")
        return target

    def _told(self, target: Path) -> str:
        durable.flush_folder(target.parent)
        return str(self._archive.relative(target))


def _copy(path: Path, target: Path) -> None:
    try:
        with open_regular(path) as reading, target.open("xb") as writing:
            shutil.copyfileobj(reading, writing, 1 << 20)
            writing.flush()
            os.fsync(writing.fileno())
    except BaseException:
        target.unlink(missing_ok=True)
        raise


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Let the owner write in a folder for the length of a block.

    Raises:
        OSError: it is not ours, or is no folder.
    """
    mode = stat.S_IMODE(folder.lstat().st_mode)
    if mode & stat.S_IWUSR:
        yield
        return
    folder.chmod(mode | stat.S_IRWXU)
    try:
        yield
    finally:
        folder.chmod(mode)


def put(source: Path, root: Path, path: str) -> None:
    """Put a file, by one rename, in its place below a folder; both are on one file system, and no link is followed.

    Raises:
        OSError: it cannot be put there.
    """
    target = root / path
    _make_way(root, target.parent)
    durable.flush_file(source)
    with writable(target.parent):
        source.replace(target)
    durable.flush_folder(target.parent)


def _make_way(root: Path, folder: Path) -> None:
    """Make the folders below `root` that lead to a file, and refuse what is none."""
    if folder == root:
        return
    _make_way(root, folder.parent)
    try:
        found = folder.lstat().st_mode
    except FileNotFoundError:
        with writable(folder.parent):
            folder.mkdir()
        durable.flush_folder(folder.parent)
        return
    if not stat.S_ISDIR(found):
        raise NotADirectoryError(errno.ENOTDIR, "something else than a folder is in its way", str(folder))
