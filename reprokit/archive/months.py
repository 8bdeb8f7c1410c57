"""The folders by month in which an archive keeps its pointers, entries and events."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def listed(folder: Path | str) -> list[os.DirEntry[str]]:
    """List a folder, sorted by name; one that is missing is empty.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def inside(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what lies in the folders of a folder, by folder and name; a link is no folder.

    Raises:
        OSError: something cannot be read.
    """
    for month in listed(folder):
        if month.is_dir(follow_symlinks=False):
            yield from listed(month.path)
