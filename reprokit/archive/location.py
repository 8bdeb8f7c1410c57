"""Finding the archive that a command is about."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from reprokit.archive.creation import create as create_archive
from reprokit.archive.layout import SETTINGS, Archive
from reprokit.archive.settings import is_archive, named_archive
from reprokit.errors import NotFoundError

__all__ = ["VARIABLE", "Archive", "default_root", "locate"]

VARIABLE = "REPROKIT_ARCHIVE"


def default_root() -> Path:
    """Tell where the archive is that nobody had to name."""
    return platformdirs.user_data_path("reprokit", appauthor=False) / "archive"


def locate(named: Path | None, *, environment: Mapping[str, str], directory: Path, create: bool = False) -> Archive:
    """Find the archive to use.

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
        UsageError: the default archive cannot be made.
        GitError: the same, on git's side.
    """
    directory = directory.absolute()
    if named is not None:
        return _at(directory / named.expanduser(), "`--archive`")
    if environment.get(VARIABLE):
        return _at(directory / Path(environment[VARIABLE]).expanduser(), f"`{VARIABLE}`")
    for folder in (directory, *directory.parents):
        if is_archive(folder):
            return Archive(folder)
        if (root := named_archive(folder / SETTINGS)) is not None:
            return _at(root, f"`{folder / SETTINGS}`")
    own = platformdirs.user_config_path("reprokit", appauthor=False) / SETTINGS
    if (root := named_archive(own)) is not None:
        return _at(root, f"`{own}`")
    return _default(create=create)


def _at(root: Path, named_by: str) -> Archive:
    root = Path(os.path.normpath(root))
    if not is_archive(root):
        raise NotFoundError(
            f"`{root}`, named by {named_by}, is not an archive", hint=f"make it one: `reprokit init {root}`"
        )
    return Archive(root)


def _default(*, create: bool) -> Archive:
    root = default_root()
    if is_archive(root):
        return Archive(root)
    if create:
        # A home folder that is itself a git repository must not stop a first capture.
        return create_archive(root, nested=True)
    raise NotFoundError(
        "there is no archive yet",
        hint="the first `reprokit capture` makes one; `reprokit init DIR` makes one where you want it",
    )
