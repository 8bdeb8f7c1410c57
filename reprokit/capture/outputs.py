"""Which files a command left behind: what is new, or changed, in the places it writes to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from reprokit.harnesses.interface import FoundRun, Harness

Snapshot = dict[str, tuple[int, int, int]]
_MOST = 10_000
_NOT_OUTPUTS = frozenset({".git", ".reprokit"})


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        # A folder that cannot be read, or is gone again, holds nothing that could be captured.
        return


def _below(place: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files below a folder, hidden ones too; links are not followed."""
    folders = [str(place)]
    while folders:
        for entry in _entries(folders.pop()):
            if entry.is_dir(follow_symlinks=False):
                folders += [entry.path] if entry.name not in _NOT_OUTPUTS else []
            elif entry.is_file(follow_symlinks=False):
                yield entry


def _beside(place: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the files that belong to a place that is a file by their names: `out.json`, `out_<date>.json`."""
    for entry in _entries(str(place.parent)):
        named_so = entry.name.startswith((place.stem, "samples_"))
        if named_so and entry.is_file(follow_symlinks=False):
            yield entry


def _is_folder(place: Path) -> bool:
    return place.is_dir() or not (place.suffix or place.is_file())


def snapshot(places: Sequence[Path]) -> Snapshot:
    """Remember each file at some places by inode, size and time of change (nanoseconds).

    A place that is a folder stands for all below it; one that is, or is to be, a file stands for the files beside it
    whose names begin as its own does, and for what it leads to when it is a link.
    """
    seen: Snapshot = {}
    for place in places:
        if place.is_symlink() and place.is_file():
            # Somebody named this link: unlike those that lie about, it is followed.
            status = place.stat()
            seen[os.path.realpath(place)] = (status.st_ino, status.st_size, status.st_mtime_ns)
        for entry in _below(place) if _is_folder(place) else _beside(place):
            status = entry.stat(follow_symlinks=False)
            seen[entry.path] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return seen


def _changed(places: Sequence[Path], before: Snapshot) -> list[str]:
    return sorted(path for path, facts in snapshot(places).items() if before.get(path) != facts)


def new_runs(harness: Harness, places: Sequence[Path], before: Snapshot) -> list[FoundRun]:
    """Find the runs under some places that wrote a file since `before` was taken, each with what it wrote alone."""
    changed = set(_changed(places, before))

    def is_new(root: Path, file: PurePosixPath) -> bool:
        return str(root / file) in changed

    found = (run.of_new(partial(is_new, run.root)) for run in harness.find(places))
    return [run for run in found if run is not None]


def left_behind(places: Sequence[Path], before: Snapshot) -> tuple[FoundRun | None, int]:
    """Gather what is new at some places as the remains of a run that left no results.

    Returns it, and how many files were too many to take.
    """
    changed = _changed(places, before)
    taken = changed[:_MOST]
    if not taken:
        return None, 0
    root = Path(os.path.commonpath([str(Path(path).parent) for path in taken]))
    files = tuple(PurePosixPath(Path(path).relative_to(root).as_posix()) for path in taken)
    return FoundRun(root=root, key="", results=None, others=files), len(changed) - len(taken)
