"""Which files a command left behind: what is new, or changed, in the places it writes to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from reprokit.harnesses.interface import FoundRun, Harness

Snapshot = dict[str, tuple[int, int, int]]
_MOST = 10_000


def _files(place: Path) -> Iterator[os.DirEntry[str]]:
    folders = [str(place)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        yield entry
        except OSError:
            # A folder that cannot be read, or is gone again, holds nothing that could be captured.
            continue


def _searched(places: Sequence[Path]) -> list[Path]:
    """Give the folders to look through: a place that is, or is to be, a file stands for the folder around it."""
    folders = {place if place.is_dir() or not place.suffix else place.parent for place in places}
    return sorted(folder for folder in folders if not any(other in folder.parents for other in folders))


def snapshot(places: Sequence[Path]) -> Snapshot:
    """Remember each file below some places by inode, size and time of change (nanoseconds)."""
    seen: Snapshot = {}
    for folder in _searched(places):
        for entry in _files(folder):
            status = entry.stat(follow_symlinks=False)
            seen[entry.path] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return seen


def new_runs(harness: Harness, places: Sequence[Path], before: Snapshot) -> list[FoundRun]:
    """Find the runs under some places of which any file is new or changed since `before` was taken."""
    now = snapshot(places)
    changed = {path for path, facts in now.items() if before.get(path) != facts}
    return [run for run in harness.find(places) if any(str(run.root / file) in changed for file in run.files)]


def left_behind(places: Sequence[Path], before: Snapshot) -> FoundRun | None:
    """Gather whatever is new under some places as the remains of a run that left no results."""
    now = snapshot(places)
    changed = sorted(path for path, facts in now.items() if before.get(path) != facts)[:_MOST]
    if not changed:
        return None
    root = Path(os.path.commonpath([str(Path(path).parent) for path in changed]))
    files = tuple(PurePosixPath(Path(path).relative_to(root).as_posix()) for path in changed)
    return FoundRun(root=root, key="", results=None, others=files)
