"""Where the signature of a bundle may lie: beside it, for a bundle itself never changes."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from reprokit.archive.layout import Archive, is_bundle_id
from reprokit.archive.settings import is_archive
from reprokit.bundle.reading import Bundle
from reprokit.errors import ReprokitError

SUFFIX = ".sig"
MOST = 100
"""Signatures of one bundle that are looked at: each takes a program to be run."""
_DEPTH = 3  # `bundles/MONTH/ID`


def candidates(
    bundle: Bundle, *, archive: Archive | None = None, packed: Path | None = None, named: Path | None = None
) -> list[Path]:
    """Find the files that may be a signature of a bundle; nothing of them is believed.

    Args:
        bundle: the bundle.
        archive: the archive that is used: there they lie in `signatures/ID/`.
        packed: the file that the bundle was packed in: one may lie beside it.
        named: the one that a person has named: then no other is looked at.
    """
    if named is not None:
        return [Path(os.path.realpath(named))]
    named_well = is_bundle_id(bundle.info.bundle_id)  # it is the bundle's own word, and may be a way to elsewhere
    places = [_beside(bundle.path)]
    if packed is not None:
        places.append(_beside(packed))
    if packed is not None and named_well:
        places.append(_beside(packed.with_name(bundle.info.bundle_id)))
    found = [path for path in places if path.is_file()]
    if archive is not None and named_well:
        inside = folder(archive, bundle.info.bundle_id).glob(f"*{SUFFIX}")
        found += sorted(islice((path for path in inside if path.is_file()), MOST))
    return found


def folder(archive: Archive, bundle_id: str) -> Path:
    """Tell where the signatures of a bundle of an archive lie."""
    return archive.signatures / bundle_id


def home(bundle: Bundle) -> Archive | None:
    """Find the archive that a bundle lies in, whichever is used; `None` when it lies in none."""
    path = Path(os.path.realpath(bundle.path))
    if not is_bundle_id(bundle.info.bundle_id) or len(path.parents) < _DEPTH:
        return None
    archive = Archive(path.parents[_DEPTH - 1])
    try:
        return archive if path == archive.payload(bundle.info.bundle_id) and is_archive(archive.root) else None
    except ReprokitError:
        return None


def place(bundle: Bundle, key: str, *, archive: Archive | None, packed: Path | None = None) -> Path:
    """Tell where a new signature belongs.

    Args:
        bundle: the bundle.
        key: the fingerprint of the key, `SHA256:…`.
        archive: the archive that the bundle lies in, if it lies in one.
        packed: the file that it was packed in, if it was.
    """
    if archive is not None:
        # The digits of a fingerprint are those of base64: one of them is a slash.
        name = key.replace(":", "-").replace("/", "_")
        return folder(archive, bundle.info.bundle_id) / f"{name}{SUFFIX}"
    return _beside(bundle.path if packed is None else packed)


def _beside(path: Path) -> Path:
    path = path.absolute()
    return path.with_name(path.name + SUFFIX)
