"""What lies in a bundle's folder and does not belong to it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath


def strays(root: Path, paths: Collection[str]) -> Iterator[str]:
    """Yield the files, links and folders below `root` that are neither of `paths` nor on the way to one.

    A folder of strays is named as a whole, with a slash behind it. What stands at one of `paths` is none, whatever it
    is.

    Raises:
        OSError: a folder cannot be listed.
    """
    ways = {str(folder) for path in paths for folder in PurePosixPath(path).parents}
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(root / folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        for entry in listed:
            path = f"{folder}{entry.name}"
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and path in ways:
                folders.append(f"{path}/")
            elif path not in paths:
                yield f"{path}/" if is_folder else path
