"""Markers of published bundles that wait to be registered.

Each publisher writes a marker of its own before it renames the bundle into place, so that there is no moment at which
a bundle is published and nobody knows. A marker counts once its bundle has left the staging folder.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from reprokit.archive import durable, own_folders, small_file
from reprokit.archive.layout import Archive, is_bundle_id
from reprokit.bundle import canonical

_SUFFIX = ".json"
UNSTAGED = "unstaged"


class Marker(Struct, frozen=True, kw_only=True):
    """One publication. `staged` is where the bundle was made, relative to the staging folder; `published` is in UTC."""

    bundle: str
    staged: str
    published: str


def place(archive: Archive, marker: Marker) -> Path:
    """Tell where a marker is kept: one file per bundle and publisher."""
    return archive.pending / f"{marker.bundle}.{marker.staged.partition('/')[0]}{_SUFFIX}"


def mark(archive: Archive, marker: Marker) -> None:
    """Note that a bundle is about to be published.

    Raises:
        OSError: the archive cannot be written.
    """
    durable.write(place(archive, marker), canonical.record(marker), archive=archive)


def unmark(archive: Archive, marker: Marker) -> None:
    """Forget a marker.

    Raises:
        OSError: the archive cannot be written.
        UsageError: a link stands where markers belong.
    """
    own_folders.require_private(archive)
    place(archive, marker).unlink(missing_ok=True)


def markers(archive: Archive) -> list[Marker]:
    """List all markers, oldest publication first. What cannot be read is left out: `rescan` finds its bundle.

    Raises:
        UsageError: a link stands where they belong.
    """
    own_folders.require_private(archive)
    found: list[Marker] = []
    for path in sorted(archive.pending.glob(f"*{_SUFFIX}")):
        try:
            marker = canonical.decode(small_file.read(path), Marker)
        except (OSError, msgspec.DecodeError):
            continue
        # The name of the file and what it says must agree, as paths are made of the latter.
        if is_bundle_id(marker.bundle) and place(archive, marker) == path:
            found.append(marker)
    return sorted(found, key=lambda marker: (marker.published, marker.bundle))


def _counts(archive: Archive, marker: Marker) -> bool:
    # The order matters: a bundle that is seen in neither place has not just been moved from one to the other.
    return not (archive.staging / marker.staged).exists() and archive.payload(marker.bundle).is_dir()


def waiting(archive: Archive) -> dict[str, list[Marker]]:
    """Give the published, unregistered bundles by id, in the order of publication, each with its markers.

    Raises:
        UsageError: a link stands where markers belong.
    """
    found: dict[str, list[Marker]] = {}
    for marker in markers(archive):
        if _counts(archive, marker):
            found.setdefault(marker.bundle, []).append(marker)
    return found
