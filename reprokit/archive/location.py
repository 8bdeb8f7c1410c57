"""Finding the archive that a command is about."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from reprokit.archive.creation import create as create_archive
from reprokit.archive.layout import SETTINGS, Archive
from reprokit.archive.settings import expand, is_archive, named_archive
from reprokit.errors import NotFoundError

__all__ = [
    "VARIABLE",
    "Archive",
    "Located",
    "NoArchiveYetError",
    "default_root",
    "find",
    "locate",
    "settings_files",
]

VARIABLE = "REPROKIT_ARCHIVE"


class NoArchiveYetError(NotFoundError):
    """Nobody names an archive, and the default one was not made yet."""


@dataclass(frozen=True, kw_only=True)
class Located:
    """An archive, and who said that it is the one to use."""

    archive: Archive
    named_by: str


def default_root() -> Path:
    """Tell where the archive is that nobody had to name."""
    return platformdirs.user_data_path("reprokit", appauthor=False) / "archive"


def locate(named: Path | None, *, environment: Mapping[str, str], directory: Path, create: bool = False) -> Archive:
    """Find the archive to use, as `find` does."""
    return find(named, environment=environment, directory=directory, create=create).archive


def find(named: Path | None, *, environment: Mapping[str, str], directory: Path, create: bool = False) -> Located:
    """Find the archive to use, and tell who named it.

    The first of these counts: `named` (the flag), `REPROKIT_ARCHIVE`, the nearest `reprokit.toml` in or above
    `directory` that is an archive's own or says `archive = "…"`, the user's configuration, the default archive.

    Args:
        named: what the user named, relative to `directory`.
        environment: the environment variables.
        directory: the working directory.
        create: make the default archive when it is the one to use and is not there. No other is ever made.

    Raises:
        NotFoundError: there is none at the place, or there is no default archive yet.
        UnreadableError: a settings file cannot be read, or the archive is of a newer format.
        UsageError: the default archive cannot be made, or the place named is in the home of nobody.
        GitError: the same, on git's side.
    """
    directory = directory.absolute()
    if named is not None:
        return _at(directory / expand(named, "`--archive`"), "`--archive`")
    if environment.get(VARIABLE):
        return _at(directory / expand(Path(environment[VARIABLE]), f"`{VARIABLE}`"), f"`{VARIABLE}`")
    for folder in (directory, *directory.parents):
        if is_archive(folder):
            return Located(archive=Archive(folder), named_by="the folder you are in")
        if (root := named_archive(folder / SETTINGS)) is not None:
            return _at(root, f"`{folder / SETTINGS}`")
    own = _own_settings()
    if (root := named_archive(own)) is not None:
        return _at(root, f"`{own}`")
    return Located(archive=_default(create=create), named_by="nobody: it is your default archive")


def _own_settings() -> Path:
    return platformdirs.user_config_path("reprokit", appauthor=False) / SETTINGS


def settings_files(directory: Path) -> Iterator[Path]:
    """Yield the settings files that may have a say in a directory, nearest first, whether they are there or not."""
    for folder in (directory.absolute(), *directory.absolute().parents):
        yield folder / SETTINGS
    yield _own_settings()


def _at(root: Path, named_by: str) -> Located:
    root = Path(os.path.normpath(root))
    if not is_archive(root):
        raise NotFoundError(
            f"`{root}`, named by {named_by}, is not an archive", hint=f"make it one: `reprokit init {root}`"
        )
    return Located(archive=Archive(root), named_by=named_by)


def _default(*, create: bool) -> Archive:
    root = default_root()
    if is_archive(root):
        return Archive(root)
    if create:
        # A home folder that is itself a git repository must not stop a first capture.
        return create_archive(root, nested=True)
    raise NoArchiveYetError(
        "there is no archive yet",
        hint="the first `reprokit capture` makes one; `reprokit init DIR` makes one where you want it",
    )
