"""What `reprokit.open` does with a reference to a bundle elsewhere, in a program that runs on afterwards."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path

from reprokit.archive.layout import Archive
from reprokit.archive.location import NoArchiveYetError, locate
from reprokit.bundle.reading import Bundle
from reprokit.errors import FixityError
from reprokit.mirrors.interface import Step
from reprokit.sync.foreign import elsewhere
from reprokit.sync.foreign import references as foreign


def open_foreign(reference: str, archive: str | os.PathLike[str] | None) -> Bundle | None:
    """Open the bundle of a mirror's reference, of `dvc:ADDRESS#BUNDLE`, or of a packed file; `None` when it is none.

    Of what a mirror has, the archive's own is opened, if it is there and whole. What is fetched lies in a temporary
    folder until nobody holds the value any longer, or the program ends.

    Raises:
        NotFoundError: the mirror has none; or the archive that is named is none.
        FixityError: what it has is not what was captured.
        Others: as `fetch_for_now` of `references` and `fetch` of `elsewhere` have it.
    """
    if not foreign.is_foreign(reference):
        return None
    place = _archive(archive)
    if elsewhere.is_elsewhere(reference):
        return _for_now(lambda folder: _elsewhere(reference, place, folder))
    wanted = foreign.understand(reference, place, environment=os.environ, directory=Path.cwd())
    wanted.mirror.probe(wanted.to, wanted.environment)
    copy = foreign.look(wanted)
    if place is not None and (bundle_id := foreign.held(place, copy)) is not None:
        try:
            return foreign.from_archive(place, bundle_id, copy)
        except FixityError:
            pass  # the mirror's may be whole
    return _for_now(lambda folder: foreign.fetch_for_now(wanted, copy, folder, watch=_unwatched))


def _elsewhere(reference: str, archive: Archive | None, folder: Path) -> Bundle:
    patience = foreign.patience(os.environ)
    fetched = elsewhere.fetch(reference, archive, folder, directory=Path.cwd(), patience=patience, watch=_unwatched)
    return fetched.bundle


def _for_now(fetch: Callable[[Path], Bundle]) -> Bundle:
    folder = tempfile.TemporaryDirectory(prefix="reprokit-", ignore_cleanup_errors=True)
    try:
        bundle = fetch(Path(folder.name))
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
