"""Which files a command left behind: what is new, or changed, in the places it writes to."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from reprokit.harnesses.interface import FoundRun, Reader

Snapshot = dict[str, tuple[int, int, int]]
"""What lay at some places, by path; or only, under the name of no path, the moment at which it was looked."""

MOST_REMEMBERED = 200_000
"""Files; more than that take some 100 MB."""
REMEMBERING = 5.0
"""Seconds; a folder of outputs takes a tenth of one."""
_SINCE = ""
_COARSE = 50_000_000
"""Nanoseconds by which a file system's clock may be behind ours."""
_MOST = 10_000
_NOT_OUTPUTS = frozenset({".git", ".reprokit"})
_OF_THE_KERNEL = frozenset({"/dev", "/proc", "/sys"})


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        # A folder that cannot be read, or is gone again, holds nothing that could be captured.
        return


def _below(place: Path, until: float) -> Iterator[os.DirEntry[str]]:
    """Yield the files below a folder, hidden ones too; links are not followed.

    Raises:
        TimeoutError: the clock (`time.monotonic`) has passed `until`.
    """
    folders = [str(place)]
    while folders:
        if time.monotonic() > until:
            raise TimeoutError
        for entry in _entries(folders.pop()):
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _NOT_OUTPUTS and entry.path not in _OF_THE_KERNEL:
                    folders.append(entry.path)
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


def snapshot(places: Sequence[Path], *, most: int = MOST_REMEMBERED, seconds: float = REMEMBERING) -> Snapshot:
    """Remember each file at some places by inode, size and time of change (nanoseconds).

    A place that is a folder stands for all below it; one that is, or is to be, a file stands for the files beside it
    whose names begin as its own does, and for what it leads to when it is a link.

    Where there are too many, or looking at them takes too long (somebody may write to `/`), none is remembered but the
    moment: new is then what was written or put there since.
    """
    since = time.time_ns()
    seen: Snapshot = {}
    try:
        for path, status in _files(places, until=time.monotonic() + seconds):
            seen[path] = _facts(status)
            if len(seen) > most:
                break
        else:
            return seen
    except TimeoutError:
        seen.clear()
    return {_SINCE: (0, 0, since - _COARSE)}


def _files(places: Sequence[Path], until: float = math.inf) -> Iterator[tuple[str, os.stat_result]]:
    for place in places:
        if place.is_symlink() and place.is_file():
            # Somebody named this link: unlike those that lie about, it is followed.
            yield os.path.realpath(place), place.stat()
        for entry in _below(place, until) if _is_folder(place) else _beside(place):
            with contextlib.suppress(FileNotFoundError):
                yield entry.path, entry.stat(follow_symlinks=False)


def _facts(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _is_changed(path: str, status: os.stat_result, before: Snapshot) -> bool:
    if _SINCE in before:
        return max(status.st_mtime_ns, status.st_ctime_ns) >= before[_SINCE][2]
    return before.get(path) != _facts(status)


def _changed(places: Sequence[Path], before: Snapshot) -> list[str]:
    return sorted({path for path, status in _files(places) if _is_changed(path, status, before)})


def new_runs(harness: Reader, places: Sequence[Path], before: Snapshot) -> list[FoundRun]:
    """Find the runs under some places that wrote a file since `before` was taken, each with what it wrote alone."""
    changed = set(_changed(places, before))

    def is_new(root: Path, file: PurePosixPath) -> bool:
        return str(root / file) in changed

    found = (run.of_new(partial(is_new, run.root)) for run in harness.find(places))
    return [run for run in found if run is not None]


def left_behind(
    places: Sequence[Path], before: Snapshot, may_be_ours: Callable[[str], bool]
) -> tuple[FoundRun | None, int]:
    """Gather what is new at some places, and may be ours, as the remains of a run that left no results.

    Returns it, and how many files were too many to take.
    """
    changed = [path for path in _changed(places, before) if may_be_ours(path)]
    taken = changed[:_MOST]
    if not taken:
        return None, 0
    root = Path(os.path.commonpath([str(Path(path).parent) for path in taken]))
    files = tuple(PurePosixPath(Path(path).relative_to(root).as_posix()) for path in taken)
    return FoundRun(root=root, key="", results=None, others=files), len(changed) - len(taken)
