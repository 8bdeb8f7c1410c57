"""What `reprokit.open` does with a mirror's reference, in a program that runs on afterwards."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path

from reprokit.archive.layout import Archive
from reprokit.archive.location import NoArchiveYetError, locate
from reprokit.bundle.reading import Bundle
from reprokit.errors import FixityError
from reprokit.mirrors.interface import Step
from reprokit.sync.foreign import references as foreign


def open_foreign(reference: str, archive: str | os.PathLike[str] | None) -> Bundle | None:
    """Open the bundle of a mirror's reference; `None` when it is none.

    The archive's own is opened, if it is there and whole. What is fetched lies in a temporary folder until nobody holds
    the value any longer, or the program ends.

    Raises:
        NotFoundError: the mirror has none; or the archive that is named is none.
        FixityError: what it has is not what was captured.
        Others: as `reprokit.sync.foreign.references.fetch_for_now` has it.
    """
    if not foreign.is_foreign(reference):
        return None
    place = _archive(archive)
    wanted = foreign.understand(reference, place, environment=os.environ, directory=Path.cwd())
    wanted.mirror.probe(wanted.to, wanted.environment)
    copy = foreign.look(wanted)
    if place is not None and (bundle_id := foreign.held(place, copy)) is not None:
        try:
            return foreign.from_archive(place, bundle_id, copy)
        except FixityError:
            pass  # the mirror's may be whole
    folder = tempfile.TemporaryDirectory(prefix="reprokit-", ignore_cleanup_errors=True)
    try:
        bundle = foreign.fetch_for_now(wanted, copy, Path(folder.name), watch=_unwatched)
    except BaseException:
        folder.cleanup()
        raise
    weakref.finalize(bundle, folder.cleanup)
    return bundle


def _archive(named: str | os.PathLike[str] | None) -> Archive | None:
    try:
        return locate(None if named is None else Path(named), environment=os.environ, directory=Path.cwd())
    except NoArchiveYetError:
        return None


def _unwatched(_: Step) -> None:
    pass
