"""The folders of an archive that are folders, and not links by which a stranger has us write or remove elsewhere.

A clone is a stranger's: git brings links along as it brings files, also where an archive keeps what belongs to one copy
alone. Whoever lists, writes or removes there asks here first; who could put a link there later could do the rest, too.
"""

from __future__ import annotations

import os
import shlex
import stat
from contextlib import suppress
from pathlib import Path

from reprokit import git
from reprokit.archive.layout import PRIVATE, Archive
from reprokit.errors import UsageError

_FOLDERS = {"scratch", "staging", "pending", "finished", "outbox", "exports"}
_LOCKS = {"lock", "finishing", "creation.lock"}


def require_private(archive: Archive) -> None:
    """Refuse an archive whose private folder, or a folder in it, is no folder of its own; what is absent is fine.

    The files in it may be anything: they are read without following links, and replaced rather than written to. Only
    those that are locked may not lead elsewhere, either.

    Raises:
        UsageError: it is such an archive.
        OSError: it cannot be read.
    """
    _require_folder(archive, archive.private)
    with suppress(FileNotFoundError), os.scandir(archive.private) as entries:
        for entry in entries:
            leads_away = entry.is_symlink() and (entry.name in _LOCKS or entry.is_dir())
            if leads_away or (entry.name in _FOLDERS and not entry.is_dir(follow_symlinks=False)):
                _require_folder(archive, Path(entry.path))


def require_folders(archive: Archive, folder: Path) -> None:
    """Refuse to use a folder of the archive that is reached by a link, or by what is no folder; it may be absent.

    Raises:
        UsageError: it is such a folder, or does not lie in the archive.
        OSError: it cannot be told.
    """
    try:
        parts = folder.relative_to(archive.root).parts
    except ValueError:
        parts = (os.pardir,)
    if os.pardir in parts:
        raise UsageError(f"`{folder}` does not lie in the archive `{archive.root}`")
    way = archive.root
    for part in parts:
        way /= part
        if not _require_folder(archive, way):
            return


def require_untracked(archive: Archive) -> None:
    """Refuse an archive whose private folder came with its commits: then no word in it is this copy's own.

    Where git cannot tell there is no clone, and so nobody who has put it there.

    Raises:
        UsageError: git tracks something in it.
    """
    tracked = b""
    with suppress(git.GitError):
        tracked = git.run(["ls-files", "-z", "--", PRIVATE], directory=archive.root)
    if tracked:
        name = os.fsdecode(tracked.partition(b"\0")[0])
        root = shlex.quote(str(archive.root))
        raise UsageError(
            f"`{name}` in the archive `{archive.root}` is tracked by git, but `{PRIVATE}/` belongs to one copy alone",
            hint=f"somebody has put it there: look at it, then `git -C {root} rm -r {PRIVATE}` and commit",
        )


def _require_folder(archive: Archive, path: Path) -> bool:
    """Tell whether a folder is there, and refuse what stands in its place."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        return True
    kind = "a link" if stat.S_ISLNK(mode) else "no folder"
    raise UsageError(
        f"`{archive.relative(path)}` in the archive `{archive.root}` is {kind}, so it cannot be written: "
        "what belongs there could be written and removed elsewhere",
        hint=f"see what it is, then remove it (`rm {shlex.quote(str(path))}`), or do not use this archive",
    )
