"""Running the same thing several times, each time as if it were the first."""

from __future__ import annotations

import shutil
from pathlib import Path

from reprokit.reproduce.workspace import Workspace

_FOLDERS = ("source", "sources", "home", "tmp", "huggingface", "outputs")


class Repeating:
    """Keeps what a run may write to as it was before the first, so that no repeat finds what another left."""

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root
        self._kept = workspace.root / "before"
        self._count = 0
        self._kept.mkdir()
        for name in _FOLDERS:
            _copy(self._root / name, self._kept / name)

    def renew(self) -> None:
        """Put the folders back as they were; outputs of the last run stay beside them."""
        self._count += 1
        for name in _FOLDERS:
            folder = self._root / name
            if name == "outputs":
                folder.rename(self._root / f"outputs-{self._count}")
            else:
                shutil.rmtree(folder, ignore_errors=True)
            _copy(self._kept / name, folder)


def _copy(folder: Path, to: Path) -> None:
    if folder.is_dir():
        shutil.copytree(folder, to, symlinks=True)
