"""Noting what happened to a bundle after its capture: one event, one commit."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
    return note_all(archive, [event], message)


def note_all(archive: Archive, events: Sequence[Event], message: str) -> str | None:
    """Append events to the ledger, a batch for each kind, and commit them together, as `note` does.

    Raises:
        OSError: the archive cannot be written.
    """
    kinds = sorted({event.event for event in events})
    batches = ([event for event in events if event.event == kind] for kind in kinds)
    paths = [archive.relative(ledger.append(archive, batch)) for batch in batches]
    try:
        git.commit_paths(archive.root, paths, message)
    except ReprokitError as error:
        return error.message
    return None


def settle(archive: Archive) -> str | None:
    """Commit what could not be when it was noted, and the signatures; returns what is in the way, if anything."""
    places = [archive.ledger.name, archive.signatures.name]
    untracked = ["ls-files", "-z", "--others", "--exclude-standard", "--", *places]
    # Added to the index by a `note` that was killed before its commit.
    added = ["diff-index", "-z", "--cached", "--name-only", "--diff-filter=A", "HEAD", "--", *places]
    try:
        listed = [path for asked in (untracked, added) for path in git.run(asked, directory=archive.root).split(b"\0")]
        left = [PurePosixPath(os.fsdecode(path)) for path in listed if path]
        if left:
            git.commit_paths(archive.root, left, "note events")
    except ReprokitError as error:
        return error.message
    return None
