"""Copies that a good file may be in. What one brings may be anything: whoever asks for it proves it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from reprokit.archive.cache import Cache
from reprokit.bundle.bag import open_regular
from reprokit.errors import RemoteError, ReprokitError
from reprokit.sync.remotes.objects import Destination, Objects
from reprokit.sync.remotes.wire import Finished

_CHUNK = 1 << 20
# There is no file, or what is there is none: a link, a folder, a pipe.
_NOTHING = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.ENXIO}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A file that is looked for.

    `path` is where it is in the bundle (POSIX), `None` for the bundle's listing. `name` is that of DVC's object, `None`
    while no listing tells it. `most` is how many bytes it can have.
    """

    path: str | None
    name: str | None
    most: int


class Copy(Protocol):
    """A place that may hold a file of a bundle."""

    @property
    def name(self) -> str:
        """How people call it."""

    def bring(self, wanted: Wanted, target: Path) -> bool:
        """Write what it has into a new file, and tell whether it has any; it proves nothing.

        Raises:
            ReprokitError: it cannot be asked.
            OSError: it cannot be read, or the file cannot be written.
        """


def copy_bounded(source: Path, target: Path, most: int) -> bool:
    """Copy a regular file, but never much more than `most` bytes of it; false when there is none.

    Raises:
        OSError: it cannot be read, or the target not written.
    """
    try:
        reading = open_regular(source)
    except OSError as error:
        if error.errno in _NOTHING:
            return False
        raise
    size = 0
    with reading, target.open("xb") as writing:
        while size <= most and (chunk := reading.read(_CHUNK)):
            size += writing.write(chunk)
    return True


@dataclass(frozen=True, kw_only=True)
class CachedCopy:
    """DVC's cache. Where files share their bytes with it, what is brought does so, too."""

    store: Cache
    name: str = "DVC's cache"

    def bring(self, wanted: Wanted, target: Path) -> bool:
        """Bring an object."""
        if wanted.name is None:
            return False
        place = self.store.place(wanted.name)
        return (self.store.hardlinks and _link(place, target)) or copy_bounded(place, target, wanted.most)


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        return False
    return True


@dataclass(frozen=True, kw_only=True)
class RemoteCopy:
    """A DVC remote, which is not reached before it is needed. `lose` is told that it failed."""

    name: str
    reach: Callable[[], Objects]
    lose: Callable[[RemoteError], None]

    def bring(self, wanted: Wanted, target: Path) -> bool:
        """Bring an object, if its size can be that of the file."""
        if wanted.name is None:
            return False
        objects = self.reach()
        try:
            return self._bring(objects, wanted.name, wanted.most, target)
        except RemoteError as error:
            self.lose(error)
            raise

    def _bring(self, objects: Objects, name: str, most: int, target: Path) -> bool:
        size = objects.sizes([name]).get(name)
        if size is None or size > most:
            return False
        found = False
        for step in objects.fetch({name: Destination(path=target, most=most)}):
            found = found or (isinstance(step, Finished) and step.size is not None)
        return found


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A folder that the files of a bundle lie in, and why not all of them do, when that is known."""

    folder: Path
    trouble: ReprokitError | None = None


@dataclass(kw_only=True)
class FetchedCopy:
    """A bundle that is brought here as a whole when the first file of it is needed: packed, or on a mirror.

    `fetch` is called once, and what it raises is told for every file.
    """

    name: str
    fetch: Callable[[], Fetched]
    _fetched: Fetched | None = field(default=None, init=False)
    _trouble: ReprokitError | OSError | None = field(default=None, init=False)

    def bring(self, wanted: Wanted, target: Path) -> bool:
        """Bring a file."""
        if self._trouble is not None:
            raise self._trouble
        try:
            self._fetched = self._fetched or self.fetch()
        except (ReprokitError, OSError) as error:
            self._trouble = error
            raise
        if wanted.path is None:
            return False
        found = copy_bounded(self._fetched.folder / wanted.path, target, wanted.most)
        if not found and self._fetched.trouble is not None:
            raise self._fetched.trouble
        return found
