"""Where the facts about one run's models and datasets are looked for, worked out once for all of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reprokit import clock
from reprokit.bundle.record import SubjectFile
from reprokit.bundle.values import Unknown
from reprokit.probes.subject.clues import Clues, Limits
from reprokit.probes.subject.files import Digester
from reprokit.probes.subject.hub_cache import Caches, Kind, Opened, caches, opened_files
from reprokit.probes.subject.revision import Statement

_SLACK = 1.0
"""Seconds that the clock of a file server may be ahead."""


@dataclass(frozen=True, kw_only=True)
class World:
    """A run's clues, the caches it had, the snapshots it opened files of, and what may be read."""

    clues: Clues
    limits: Limits
    caches: Caches
    opened: tuple[Opened, ...]
    digester: Digester


def world(clues: Clues, limits: Limits, digester: Digester | None) -> World:
    """Look around; without a digester, this run has one of its own."""
    opened = tuple(dict.fromkeys(opened_files(clues.environment.loaded_from_cache, clues.directory)))
    return World(
        clues=clues,
        limits=limits,
        caches=caches(clues.environ, clues.home, clues.directory, opened),
        opened=opened,
        digester=digester or Digester(limits),
    )


def local_place(around: World, name: str) -> Path | None:
    """Find the file or folder that a name leads to from the run's directory; `None` when there is none.

    The libraries prefer a folder to a name on the hub, so this is asked first.
    """
    if not name:
        return None
    expanded = around.clues.home / name[2:] if name.startswith("~/") else Path(name)
    try:
        place = Path(os.path.realpath(around.clues.directory / expanded))
        return place if place.exists() else None
    except (OSError, ValueError):
        return None


def opened_of(around: World, kind: Kind, name: str) -> list[Opened]:
    """List the snapshots of a model or a dataset that the run opened files of.

    Short names such as `hellaswag` stand for `org/hellaswag` when the run opened files of only one that ends so.
    """
    of_kind = [each for each in around.opened if each.kind == kind]
    exact = [each for each in of_kind if each.name.lower() == name.lower()]
    if exact or "/" in name:
        return exact
    alike = [each for each in of_kind if each.name.rpartition("/")[2].lower() == name.lower()]
    return alike if len({each.name for each in alike}) == 1 else []


def read_statements(opened: Iterable[Opened]) -> Iterator[Statement]:
    """State the commits that files were opened of."""
    yield from (Statement(source="cache read", says=each.commit) for each in opened)


def changed(around: World, files: Iterable[SubjectFile]) -> list[str]:
    """Name the files that were written to after the run had begun."""
    started = around.clues.started
    if started is None or isinstance(started, Unknown):
        return []
    try:
        began = clock.parse(started).timestamp() + _SLACK
        return [each.path for each in files if each.modified and clock.parse(each.modified).timestamp() > began]
    except (ValueError, OverflowError):
        return []


def cache_place(around: World, folder: Path) -> str:
    """Name a folder of a cache without saying where on this machine the cache lies."""
    known = (*around.caches.hub, *around.caches.prepared)
    for cache in known:
        if folder.is_relative_to(cache):
            return f"cache:{folder.relative_to(cache).as_posix()}"
    return f"cache:{folder.name}"
