"""Folders into which a mirror writes what its own program is to send later.

They lie in the archive's private folder, or where the mirror's settings say. What is removed there again is a folder
that was made here, by its name and the mark in it, and nothing else: the path of it stands in a file.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from reprokit.archive import durable, own_folders, small_file
from reprokit.archive.layout import Archive
from reprokit.bundle.values import Json
from reprokit.errors import UsageError
from reprokit.mirrors.interface import Destination

FOLDER = "folder"
"""The option of a destination that says where exports go."""
_MARK = ".reprokit-export"
_PLACE = "place"


def make(archive: Archive, to: Destination, bundle: str) -> Path:
    """Make the folder for the export of a bundle, with nothing in it but a mark; what an earlier export left is gone.

    Raises:
        UsageError: something else is there.
        OSError: it cannot be made.
    """
    named = to.options.get(FOLDER)
    folder = (Path(named) if isinstance(named, str) else archive.exports / to.mirror) / bundle
    if folder.is_relative_to(archive.root):
        durable.prepare(archive)
        own_folders.require_folders(archive, folder)
    remove({_PLACE: str(folder)}, bundle)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UsageError(
            f"`{folder}` holds what is no export of `{bundle}`", hint="see what it is, and move it away"
        ) from None
    (folder / _MARK).write_text(bundle, encoding="ascii")
    return folder


def record(folder: Path, exported: Mapping[str, Json]) -> dict[str, Json]:
    """Say in plain JSON what was written and where, for the outbox."""
    return {**exported, _PLACE: str(folder)}


def remove(export: Mapping[str, Json], bundle: str) -> bool:
    """Remove the folder of an export; false when something of it is still there."""
    folder = Path(str(export.get(_PLACE, "")))
    if not folder.is_absolute() or folder.name != bundle or not _is_ours(folder, bundle):
        return True
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def _is_ours(folder: Path, bundle: str) -> bool:
    try:
        return not folder.is_symlink() and small_file.read(folder / _MARK, most=1024) == bundle.encode()
    except (OSError, ValueError):
        return False
