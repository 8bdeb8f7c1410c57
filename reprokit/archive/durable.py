"""Writing so that neither a kill nor a power cut leaves half a file in its place."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reprokit.archive import own_folders
from reprokit.archive.layout import Archive

# Waiting for a disk or a file server is done side by side; more threads than this gain nothing where it was measured.
_THREADS = 8
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_FILE = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)


def prepare(archive: Archive) -> None:
    """Make the archive's private folder, which keeps itself out of git and DVC, also in a clone or an adopted one.

    Raises:
        OSError: the archive cannot be written.
        UsageError: a link stands where that folder or something in it belongs.
    """
    own_folders.require_private(archive)
    if archive.scratch.is_dir():
        return
    archive.private.mkdir(parents=True, exist_ok=True)
    for name in (".gitignore", ".dvcignore"):
        # Replaced, not written to: in a clone it may be a link.
        temporary = archive.private / f"{name}.{secrets.token_hex(8)}"
        temporary.write_text("*\n", encoding="ascii")
        temporary.replace(archive.private / name)
    archive.scratch.mkdir(exist_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder, and wait until its name is on disk.

    Raises:
        OSError: it cannot be made.
    """
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        flush_folder(folder.parent)


def write(path: Path, data: bytes, *, archive: Archive) -> None:
    """Write a file of an archive whole or not at all, and wait until it is on disk.

    What a killed writer leaves lies in the archive's private folder.

    Raises:
        OSError: it cannot be written; then nothing has changed.
        UsageError: a link on the way leads elsewhere; the same.
    """
    prepare(archive)
    own_folders.require_folders(archive, path.parent)
    make_folder(path.parent)
    temporary = archive.scratch / f"{path.name[:100]}.{secrets.token_hex(8)}"
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Wait until a folder's list of names is on disk.

    Raises:
        OSError: it cannot be flushed.
    """
    descriptor = os.open(folder, _FOLDER)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems have no such call for folders: there is nothing to wait for.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def flush_folders(folders: Iterable[Path]) -> None:
    """Wait until the names in some folders are on disk.

    Raises:
        OSError: one cannot be flushed.
    """
    _side_by_side(flush_folder, folders)


def flush_file(path: Path) -> None:
    """Wait until the bytes of a regular file are on disk.

    Raises:
        OSError: it cannot be flushed, or is a link.
    """
    descriptor = os.open(path, _FILE)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_tree(root: Path) -> None:
    """Wait until a folder and everything below it is on disk. Links are not followed.

    Raises:
        OSError: something cannot be read or flushed.
    """
    files: list[Path] = []
    folders = [root]
    for folder in folders:  # grows while it is walked
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    files.append(Path(entry.path))
    _side_by_side(flush_file, files)
    flush_folders(folders)


def _side_by_side(flush: Callable[[Path], None], paths: Iterable[Path]) -> None:
    def flush_all(share: list[Path]) -> None:
        for path in share:
            flush(path)

    everything = list(paths)
    # To hand a thread one path at a time would take longer than to flush a small file.
    shares = [everything[start::_THREADS] for start in range(min(_THREADS, len(everything)))]
    with ThreadPoolExecutor(_THREADS) as pool:
        for _ in pool.map(flush_all, shares):
            pass
