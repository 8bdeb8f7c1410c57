"""Where the signature of a bundle may lie: beside it, for a bundle itself never changes."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from reprokit.archive.layout import Archive
from reprokit.bundle.reading import Bundle

SUFFIX = ".sig"
FOLDER = "signatures"
_MOST = 100


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
    beside = [_beside(bundle.path)]
    if packed is not None:
        beside += [_beside(packed), _beside(packed.with_name(bundle.info.bundle_id))]
    found = [path for path in beside if path.is_file()]
    if archive is not None:
        folder = archive.root / FOLDER / bundle.info.bundle_id
        found += sorted(islice((path for path in folder.glob(f"*{SUFFIX}") if path.is_file()), _MOST))
    return found


def _beside(path: Path) -> Path:
    path = path.absolute()
    return path.with_name(path.name + SUFFIX)
