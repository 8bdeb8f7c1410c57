"""A changed catalog entry was restored from git."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case

from reprokit import git


def make(place: Path) -> Case:
    archive, bundle_id = archives.with_bundle(place)
    archive.entry(bundle_id).write_text("{}")
    git.run(["checkout", "--", str(archive.relative(archive.entry(bundle_id)))], directory=archive.root)
    return archives.checked(archive, bundle_id)
