"""Finding the files of runs in output folders, by the time stamp that their names share.

The paths of a run start from the folder above the model's: the harnesses make one folder per model, and its name is
part of what they wrote, so it is kept whatever place somebody points to. `root_above` holds the rule.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from reprokit.bundle.values import as_json


def listings(place: Path) -> Iterator[tuple[Path, list[str]]]:
    """List every folder from a folder down, hidden ones too, with the sorted names of its regular files.

    Links below the place are not followed, neither to folders nor to files. For a file it is the file's own folder
    alone; for what does not exist, or may not be read, nothing. Folders are spelled as the place was.
    """
    if os.path.isdir(place):  # noqa: PTH112 - it never raises, `Path.is_dir` does where a folder may not be entered
        for folder, subfolders, names in os.walk(place):
            subfolders.sort()
            yield Path(folder), _regular(Path(folder), names)
    elif is_regular(place):
        yield place.parent, names_in(place.parent)


def names_in(folder: Path) -> list[str]:
    """List the sorted names of a folder's regular files; none when it cannot be read."""
    try:
        return _regular(folder, os.listdir(folder))  # noqa: PTH208 - names are wanted, and `os.walk` gives names too
    except OSError:
        return []


def is_regular(path: Path) -> bool:
    """Tell whether a path is a regular file and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def by_stamp(names: Iterable[str], stamp: re.Pattern[str]) -> dict[str, list[str]]:
    """Group the names that hold a time stamp, the last one when there are several, by that stamp."""
    groups: dict[str, list[str]] = {}
    for name in names:
        found = stamp.findall(name)
        if found:
            groups.setdefault(found[-1], []).append(name)
    return groups


def by_task(paths: Iterable[PurePosixPath], named: re.Pattern[str]) -> dict[str, PurePosixPath]:
    """Find the samples of each task: `named` is how such a file is called, with the `task` as a group."""
    matches = ((named.fullmatch(path.name), path) for path in paths)
    return {as_json(match["task"]): path for match, path in matches if match}


def root_above(folder: Path, model_folder: str | None) -> Path:
    """Choose the folder that a run's relative paths start from.

    Args:
        folder: where the files lie.
        model_folder: how the harness called the model's folder, `None` when that cannot be known any more.

    Returns:
        The folder above, so that the paths hold the model folder's name, when `folder` is the model's or may be;
        `folder` itself when the harness used no such folder or the files were moved out of it.
    """
    name = _name(folder)
    if not name or model_folder not in {None, name}:
        return folder
    return folder.parent if folder.name == name else absolute(folder).parent


def absolute(path: Path) -> Path:
    """Spell a path from the top, without `..`; links stay links."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - `Path.absolute` leaves `..` in, `Path.resolve` follows links


def relative(folder: Path, name: str, root: Path) -> PurePosixPath:
    """Write a found file's path as FoundRun holds it; `root` is the folder or the one above it."""
    return PurePosixPath(name) if root == folder else PurePosixPath(_name(folder), name)


def where(path: PurePosixPath) -> str:
    """Say where a file of a run lies in its bundle; a name that is no valid UTF-8 is mended."""
    return f"harness/{as_json(str(path))}"


def sample_files(tasks: Iterable[str]) -> dict[str, str]:
    """Name the file of each task's samples: `samples/<task>.jsonl`, safe on every file system.

    A name that had to be changed, or that another one differs from by case alone, gets a digest of the task's name, so
    that no two tasks share a file and a task keeps its file from run to run.
    """
    files: dict[str, str] = {}
    taken: set[str] = set()
    for task in sorted(set(tasks)):
        safe = re.sub(r"[^A-Za-z0-9_.-]", "_", task)[:100].lstrip(".-") or "_"
        if safe != task or safe.lower() in taken:
            safe += "-" + hashlib.sha256(task.encode()).hexdigest()[:8]
        taken.add(safe.lower())
        files[task] = f"samples/{safe}.jsonl"
    return files


def _regular(folder: Path, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if is_regular(folder / name))


def _name(folder: Path) -> str:
    return folder.name if folder.name not in {"", ".."} else absolute(folder).name
