"""A remote that is a folder here, on this disk or mounted: used without DVC, in the layout that DVC gives it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reprokit.archive import durable
from reprokit.bundle.bag import open_regular
from reprokit.errors import FixityError, RemoteError
from reprokit.sync.remotes.configuration import Remote
from reprokit.sync.remotes.objects import Destination
from reprokit.sync.remotes.wire import LISTING, Finished, Moved

_CHUNK = 1 << 20
_READ_ONLY = 0o444
_GROUP_FOLDER = 0o2775
# There is no file, or what is there is none: a link, a folder, a pipe.
_NOTHING = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL, errno.ENXIO}


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The folder of a remote."""

    remote: Remote
    root: Path

    @property
    def present(self) -> bool:
        """Whether the folder is there."""
        return self.root.is_dir()

    def sizes(self, names: Collection[str]) -> dict[str, int | None]:
        """Look up objects."""
        return {name: self._size(name) for name in names}

    def _size(self, name: str) -> int | None:
        try:
            with open_regular(_place(self, name)) as stream:
                return os.fstat(stream.fileno()).st_size
        except OSError as error:
            if error.errno in _NOTHING:
                return None
            raise _failed(self, error) from error

    def send(self, files: Mapping[str, Path]) -> Iterator[Moved | Finished]:
        """Copy files into the folder, each whole or not at all.

        Raises:
            FixityError: a file is no longer what its name says.
            RemoteError: the folder cannot be written.
        """
        if not self.present and not self.root.parent.is_dir():
            raise RemoteError(
                f"the folder of the remote `{self.remote.name}` is not there: `{self.root}`",
                hint="is its disk or share mounted? if so, make the folder",
            )
        folders: set[Path] = set()
        for name, path in files.items():
            place = _place(self, name)
            try:
                _make_folder(self, place.parent)
                size = _copy_in(path, place, name)
            except OSError as error:
                raise _failed(self, error) from error
            folders.add(place.parent)
            yield Moved(octets=size)
            yield Finished(object=name, size=size)
        durable.flush_folders(folders)

    def fetch(self, wanted: Mapping[str, Destination]) -> Iterator[Moved | Finished]:
        """Copy objects out of the folder, unverified.

        Raises:
            RemoteError: the folder cannot be read.
        """
        for name, each in wanted.items():
            try:
                size = _copy_out(_place(self, name), each)
            except OSError as error:
                if error.errno not in _NOTHING:
                    raise _failed(self, error) from error
                yield Finished(object=name, size=None)
                continue
            yield Moved(octets=size)
            yield Finished(object=name, size=size)

    def listings(self) -> dict[str, int]:
        """Find the listings in the folder.

        Raises:
            RemoteError: the folder cannot be read.
        """
        found: dict[str, int] = {}
        try:
            for path in (self.root / "files" / "md5").glob("[0-9a-f][0-9a-f]/*.dir"):
                name = path.parent.name + path.name
                if LISTING.fullmatch(name) and path.is_file():
                    found[name] = path.stat().st_size
        except OSError as error:
            raise _failed(self, error) from error
        return found


def _place(folder: Folder, name: str) -> Path:
    return folder.root / "files" / "md5" / name[:2] / name[2:]


def _failed(folder: Folder, error: OSError) -> RemoteError:
    return RemoteError(
        f"the remote `{folder.remote.name}` cannot be used: `{error.filename or folder.root}`: {error.strerror}",
        hint="check that its disk is mounted, has room, and may be read and written by you",
    )


def _make_folder(remote: Folder, folder: Path) -> None:
    """Make a folder of the remote's, and wait until its name is on disk; the group may write where it was told so."""
    if folder.is_dir():
        return
    _make_folder(remote, folder.parent)
    folder.mkdir(exist_ok=True)
    if remote.remote.group:
        folder.chmod(_GROUP_FOLDER)
    durable.flush_folder(folder.parent)


def _copy_in(source: Path, place: Path, name: str) -> int:
    """Make a file the object of its name; returns its size in bytes."""
    temporary = place.with_name(f".{secrets.token_hex(8)}.tmp")
    digest, size = hashlib.md5(usedforsecurity=False), 0
    try:
        with open_regular(source) as reading, temporary.open("xb") as writing:
            while chunk := reading.read(_CHUNK):
                digest.update(chunk)
                size += writing.write(chunk)
            writing.flush()
            os.fsync(writing.fileno())
        if digest.hexdigest() != name.removesuffix(".dir"):
            raise FixityError(f"`{source}` was changed while it was sent", hint="see `reprokit validate`")
        temporary.chmod(_READ_ONLY)
        temporary.replace(place)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    return size


def _copy_out(place: Path, wanted: Destination) -> int:
    """Copy an object, up to a byte more than it may have; returns how many bytes there were."""
    size = 0
    with open_regular(place) as reading, wanted.path.open("wb") as writing:
        while size <= wanted.most and (chunk := reading.read(min(_CHUNK, wanted.most + 1 - size))):
            size += writing.write(chunk)
    return size
