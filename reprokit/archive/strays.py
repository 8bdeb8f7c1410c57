"""What lies in an archive's folders and does not belong there; nothing of it is opened."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from os import DirEntry
from pathlib import Path

from reprokit.archive import cache
from reprokit.archive.layout import Archive, is_bundle_id
from reprokit.archive.months import listed
from reprokit.bundle import naming

_RULES = {".gitignore", ".gitattributes"}
_POINTER, _ENTRY = ".dvc", ".json"
_OBJECT = re.compile(r"[0-9a-f]{30}(\.dir)?")
_PREFIX = re.compile(r"[0-9a-f]{2}")
_UNFINISHED = ".tmp"
"""How an object is called until it is whole; whoever is killed meanwhile leaves it."""


def strays(archive: Archive) -> tuple[str, ...]:
    """List what belongs neither under `bundles/` nor under `catalog/` nor in DVC's cache, relative to the root, sorted.

    A cache elsewhere may be that of other projects, too, and is not looked at.

    Raises:
        OSError: a folder cannot be read.
    """
    found = [*_in_months(archive.bundles, _is_of_bundles), *_in_months(archive.catalog, _is_entry), *_in_cache(archive)]
    return tuple(sorted(str(archive.relative(Path(each.path))) for each in found))


def _in_months(folder: Path, belongs: Callable[[DirEntry[str], str], bool]) -> Iterator[DirEntry[str]]:
    for month in listed(folder):
        if month.is_dir(follow_symlinks=False):
            yield from (each for each in listed(month.path) if not belongs(each, month.name))
        elif month.name not in _RULES:
            yield month


def _is_of_bundles(entry: DirEntry[str], month: str) -> bool:
    if entry.is_dir(follow_symlinks=False):
        return _is_named(entry.name, month)
    return _is_file_of(entry, month, _POINTER)


def _is_entry(entry: DirEntry[str], month: str) -> bool:
    return _is_file_of(entry, month, _ENTRY)


def _is_file_of(entry: DirEntry[str], month: str, suffix: str) -> bool:
    is_file = entry.is_file(follow_symlinks=False) and entry.name.endswith(suffix)
    return is_file and _is_named(entry.name.removesuffix(suffix), month)


def _is_named(bundle_id: str, month: str) -> bool:
    return is_bundle_id(bundle_id) and naming.month(bundle_id) == month


def _in_cache(archive: Archive) -> Iterator[DirEntry[str]]:
    directory = cache.of(archive).directory
    if not directory.is_relative_to(archive.root):
        return
    for folder in listed(directory):
        if folder.is_dir(follow_symlinks=False) and _PREFIX.fullmatch(folder.name):
            yield from (each for each in listed(folder.path) if not _is_object(each))
        else:
            yield folder


def _is_object(entry: DirEntry[str]) -> bool:
    is_one = _OBJECT.fullmatch(entry.name) is not None or entry.name.endswith(_UNFINISHED)
    return is_one and entry.is_file(follow_symlinks=False)
