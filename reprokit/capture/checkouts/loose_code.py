"""Code that was loaded from folders that are in no checkout: it is named, since nothing of it is in the bundle."""

from __future__ import annotations

import csv
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from reprokit.bundle.finding import Finding, finding
from reprokit.probes.source.code_places import CodePlace
from reprokit.probes.source.scratch_repository import readable

_DOWNLOADED = {
    "datasets_modules": "dataset scripts that `datasets` downloaded",
    "transformers_modules": "model code that `transformers` downloaded",
    "evaluate_modules": "metric scripts that `evaluate` downloaded",
    "diffusers_modules": "pipeline code that `diffusers` downloaded",
}
_NOISE = ("conftest",)
_COMPILED_ON_THE_FLY = ("torchinductor_", ".triton", "torch_extensions", "numba_cache")
_MOST_FOLDERS = 10
_MOST_NAMES = 5


def loose_code(places: Iterable[CodePlace]) -> Iterator[Finding]:
    """Make one finding of all the modules and scripts that came from no checkout; none when there are none."""
    folders: dict[str, list[str]] = defaultdict(list)
    for place in places:
        name = place.use.name or place.path.name
        if not _is_noise(name, place.path):
            folders[_where(name, place.path)].append(name)
    if folders:
        listed = [f"{where} ({_names(folders[where])})" for where in sorted(folders)]
        more = f"; and {len(listed) - _MOST_FOLDERS} more folders" if len(listed) > _MOST_FOLDERS else ""
        yield finding("W338", "environment/environment.json", "; ".join(listed[:_MOST_FOLDERS]) + more)


def _names(names: Iterable[str]) -> str:
    unique = sorted(set(names))
    more = f" and {len(unique) - _MOST_NAMES} more" if len(unique) > _MOST_NAMES else ""
    return ", ".join(f"`{name}`" for name in unique[:_MOST_NAMES]) + more


def _where(name: str, path: Path) -> str:
    """Name the folder that a module was found in: for a package, the one that holds the package's own."""
    is_package = path.name.startswith("__init__.") or path.is_dir()
    folder = path.parent.parent if path.name.startswith("__init__.") else path.parent
    kind = _DOWNLOADED.get(name, "") if is_package else ""
    return f"`{readable(str(folder))}`" + (f", {kind}" if kind else "")


def _is_noise(name: str, path: Path) -> bool:
    """Tell whether a module is no code that somebody wrote for the evaluation."""
    if name in _NOISE or any(part.startswith(_COMPILED_ON_THE_FLY) for part in path.parts):
        return True
    # What a library wrote for itself, and took away again: torch does.
    if path.is_relative_to(tempfile.gettempdir()) and not path.parent.exists():
        return True
    return _is_installed(path)


def _is_installed(path: Path) -> bool:
    """Tell whether a distribution lists a module as its own, in a folder made by `pip install --target`."""
    is_init = path.name.startswith("__init__.")
    folder = path.parent.parent if is_init else path.parent
    top = path.parent.name if is_init else path.name
    try:
        with os.scandir(folder) as entries:
            metadata = [entry.path for entry in entries if entry.name.endswith(".dist-info")]
    except OSError:
        return False
    return any(_lists(Path(each) / "RECORD", top) for each in metadata)


def _lists(record: Path, top: str) -> bool:
    try:
        with record.open(newline="", encoding="utf-8", errors="replace") as file:
            return any(row and row[0].partition("/")[0] == top for row in csv.reader(file))
    except (OSError, csv.Error):
        return False
