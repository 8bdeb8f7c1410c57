"""Datasets as the `datasets` library prepared them: `<org>___<name>/<configuration>/<version>/<commit>/`.

The last folder is named by the commit that the data came from; older versions name it otherwise, and then
`dataset_info.json` may tell by the addresses it downloaded: `hf://datasets/org/name@<commit>/…`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reprokit.bundle.bag import open_regular
from reprokit.bundle.values import full_commit

_MOST_FOLDERS = 10_000
_MOST_BYTES = 4 << 20
_DOWNLOADED = re.compile(rb'"hf://datasets/(?P<name>[^@"\s]+)@(?P<commit>[0-9a-f]{40})[/"]')


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """One prepared copy of a dataset: its folder, and the commit that it was made from, if that shows."""

    folder: Path
    commit: str | None


def prepared_copies(caches: Iterable[Path], name: str, configuration: str | None) -> list[Prepared]:
    """Find the prepared copies of a dataset, in one of its configurations or in all when `None`."""
    return [
        Prepared(folder=folder, commit=full_commit(folder.name) or _commit_downloaded(folder, name))
        for cache in caches
        for dataset in _folders(cache)
        if _plain(dataset.name) == _plain(name.replace("/", "___"))
        for chosen in _folders(dataset)
        if configuration is None or chosen.name == configuration or chosen.name.startswith(f"{configuration}-")
        for version in _folders(chosen)
        for folder in _folders(version)
        if not folder.name.endswith((".lock", ".incomplete"))
    ]


def _plain(name: str) -> str:
    """Undo what the library does to a name: `OpenBookQA` becomes `open_book_qa`."""
    organisation, _, own = name.rpartition("___")
    return f"{organisation}___{own.replace('_', '').lower()}"


def _commit_downloaded(folder: Path, name: str) -> str | None:
    try:
        with open_regular(folder / "dataset_info.json") as stream:
            written = stream.read(_MOST_BYTES)
    except OSError:
        return None
    found = {match["commit"] for match in _DOWNLOADED.finditer(written) if match["name"] == name.encode()}
    return found.pop().decode() if len(found) == 1 else None


def _folders(place: Path) -> Iterator[Path]:
    """List the folders in a folder, sorted; links are not followed."""
    try:
        with os.scandir(place) as entries:
            names = [entry.name for _, entry in zip(range(_MOST_FOLDERS), entries, strict=False) if _is_folder(entry)]
    except (OSError, ValueError):
        return
    yield from (place / name for name in sorted(names))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)
