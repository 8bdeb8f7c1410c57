"""The state of an archive: what is in it, what waits, what is in the way."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from reprokit import git
from reprokit.archive import pending, publication, references, registration
from reprokit.archive.layout import Archive
from reprokit.archive.publication import Abandoned
from reprokit.archive.strays import strays
from reprokit.errors import ReprokitError

_CODE = 3  # two letters and a blank before each path of `git status --porcelain`


@dataclass(frozen=True, kw_only=True)
class Status:
    """How an archive is doing. Ids are sorted, paths are relative to its root.

    `bundles` counts all, `absent` those whose payload is not in this copy, `pending` those that wait to be registered,
    `unmarked` those that are published but neither registered nor pending. `under_way` counts captures that still run
    or cannot be judged from here. `uncommitted` lists pointers, catalog entries and ledger files that git does not hold
    as they are, `strays` what does not belong where it lies. `git` says what git could not tell, and why.
    """

    location: Path
    bundles: int
    absent: int
    pending: tuple[str, ...]
    unmarked: tuple[str, ...]
    under_way: int
    abandoned: tuple[Abandoned, ...]
    uncommitted: tuple[str, ...]
    strays: tuple[str, ...]
    git: str | None = None


def status(archive: Archive) -> Status:
    """Look at a whole archive; nothing is changed."""
    ids = references.bundle_ids(archive)
    abandoned = publication.abandoned(archive)
    try:
        uncommitted, trouble = _uncommitted(archive), None
    except ReprokitError as error:
        uncommitted, trouble = (), error.message
    return Status(
        location=archive.root,
        bundles=len(ids),
        absent=sum(not archive.payload(each).is_dir() for each in ids),
        pending=tuple(sorted(pending.waiting(archive))),
        unmarked=tuple(registration.rescan(archive)),
        under_way=len(publication.stagings(archive)) - len(abandoned),
        abandoned=tuple(abandoned),
        uncommitted=uncommitted,
        strays=strays(archive),
        git=trouble,
    )


def _uncommitted(archive: Archive) -> tuple[str, ...]:
    arguments = [
        "status",
        "--porcelain=v1",
        "-z",
        "--no-renames",
        "--untracked-files=all",
        "--ignore-submodules=all",
        "--",
    ]
    folders = [path.name for path in (archive.bundles, archive.catalog, archive.ledger)]
    # To compare is to filter: what a filter is says the archive's repository, which may be a stranger's.
    unfiltered = git.without_filters(archive.root)
    rows = git.run([*arguments, *folders], directory=archive.root, environment=unfiltered).split(b"\0")
    return tuple(sorted(os.fsdecode(row[_CODE:]) for row in rows if row))
