"""Files put into the hub cache and the datasets cache of a workspace, each read and compared on the way.

Every file is a copy, which shares its blocks with the original where the file system can (Btrfs, XFS). It is never a
hard link or a link to a cache of this user: the code that is run again may write to whatever it can open, and would
write through to the user's own cache.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader, BufferedWriter
from pathlib import Path

from reprokit.bundle.bag import open_regular
from reprokit.bundle.values import SHA256
from reprokit.errors import InputMissingError
from reprokit.reproduce.inputs.repositories import Repository, is_derived
from reprokit.reproduce.inputs.whereabouts import snapshot_file


def lay_out_snapshot(repository: Repository, commit: str, source: Path, hub: Path) -> Path:
    """Put one snapshot into a hub cache: what the record lists of it, or all that the source has.

    Args:
        repository: what is recorded of it.
        commit: its revision.
        source: the folder of the snapshot in another cache, whose links lead into that cache.
        hub: the cache to put it in.

    Returns:
        The folder of the snapshot in `hub`.

    Raises:
        InputMissingError: a file is not there, is another than the run read, or cannot be written.
    """
    folder = hub / repository.folder
    place = folder / "snapshots" / commit
    recorded = {file.path: file.digest for file in repository.files}
    paths = [*recorded] if repository.all_listed else sorted({*recorded, *_paths(source)})
    with _told(repository):
        (folder / "blobs").mkdir(parents=True, exist_ok=True)
        place.mkdir(parents=True, exist_ok=True)
        for path in paths:
            file = snapshot_file(source, path)
            if file is None:
                raise InputMissingError(f"`{path}` of `{repository.name}` is not there at `{commit}`")
            named = f"sha256:{file.name}" if SHA256.fullmatch(file.name) else None
            digest = _take(file, folder / "blobs", recorded.get(path) or named)
            if digest is None:
                raise InputMissingError(f"`{path}` of `{repository.name}` at `{commit}` is not what the run read")
            _link(place / path, folder / "blobs" / digest)
        _name(folder, repository.branches, commit)
    return place


def lay_out_copy(repository: Repository, source: Path, datasets: Path) -> Path:
    """Put a copy that the `datasets` library had prepared into another such cache, under the same name.

    Raises:
        InputMissingError: a file is not there, is another than the run read, or cannot be written.
    """
    *_, dataset, configuration, version, commit = source.parts
    recorded = _recorded(repository, configuration, version)
    place = datasets / dataset / configuration / version / commit
    with _told(repository):
        for path in sorted({*recorded, *(each for each in _paths(source) if not is_derived(each))}):
            target = place / path
            target.parent.mkdir(parents=True, exist_ok=True)
            digest = _copy(source / path, target)
            if recorded.get(path) not in {None, f"sha256:{digest}"}:
                raise InputMissingError(f"`{path}` of the prepared `{repository.name}` is not what the run read")
    return place


def _recorded(repository: Repository, configuration: str, version: str) -> Mapping[str, str | None]:
    copies = [each for each in repository.prepared if (each.configuration, each.version) == (configuration, version)]
    return {file.path: file.digest for each in copies for file in each.files}


@contextmanager
def _told(repository: Repository) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or "no reason given"
        raise InputMissingError(f"`{repository.name}` cannot be put into the workspace: {reason}") from error


def _take(file: Path, blobs: Path, wanted: str | None) -> str | None:
    """Copy a file among the blobs, named by its SHA-256; `None` when that is not the one that is wanted."""
    arriving = blobs / "arriving"
    digest = _copy(file, arriving)
    if wanted not in {None, f"sha256:{digest}"}:
        arriving.unlink()
        return None
    arriving.replace(blobs / digest)
    return digest


def _copy(file: Path, target: Path) -> str:
    """Copy a file, and digest what has arrived."""
    with open_regular(file) as source, target.open("wb") as stream:
        if not _cloned(source, stream):
            source.seek(0)
            stream.seek(0)
            stream.truncate()
            shutil.copyfileobj(source, stream, 1 << 20)
    with target.open("rb") as arrived:
        return hashlib.file_digest(arrived, "sha256").hexdigest()


def _cloned(source: BufferedReader, stream: BufferedWriter) -> bool:
    """Let the kernel copy, which shares blocks where the file system can; `False` when it does not do so here."""
    if not hasattr(os, "copy_file_range"):
        return False
    left = os.fstat(source.fileno()).st_size
    try:
        while left > 0:
            copied = os.copy_file_range(source.fileno(), stream.fileno(), left)
            if copied == 0:
                return False
            left -= copied
    except OSError:
        return False
    return True


def _link(place: Path, blob: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(os.path.relpath(blob, place.parent))


def _name(folder: Path, branches: Iterable[str], commit: str) -> None:
    for branch in branches:
        file = folder / "refs" / branch
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(commit, encoding="ascii")


def _paths(folder: Path) -> Iterator[str]:
    """List the files below a folder by relative path; folders behind links are not entered."""
    for place, _, names in os.walk(folder):
        yield from ((Path(place) / name).relative_to(folder).as_posix() for name in names)
