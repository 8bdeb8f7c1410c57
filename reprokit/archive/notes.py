"""Noting what happened to a bundle after its capture: one event, one commit."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

from reprokit import git
from reprokit.archive import ledger
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.errors import ReprokitError


def note(archive: Archive, event: Event, message: str) -> str | None:
    """Append an event to the ledger and commit it; returns why it could not be committed yet, if so.

    What is not committed is committed by `settle`.

    Raises:
        OSError: the archive cannot be written.
    """
    path = ledger.append(archive, [event])
    try:
        git.commit_paths(archive.root, [archive.relative(path)], message)
    except ReprokitError as error:
        return error.message
    return None


def settle(archive: Archive) -> str | None:
    """Commit the ledger files that a `note` could not; returns what is in the way, if anything."""
    arguments = ["ls-files", "-z", "--others", "--exclude-standard", "--", archive.ledger.name]
    try:
        listed = git.run(arguments, directory=archive.root).split(b"\0")
        left = [PurePosixPath(os.fsdecode(path)) for path in listed if path]
        if left:
            git.commit_paths(archive.root, left, "note events")
    except ReprokitError as error:
        return error.message
    return None
