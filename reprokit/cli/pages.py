"""Pages that a command writes besides what it prints."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from reprokit.bundle.reading import Bundle
from reprokit.diff.difference import Difference
from reprokit.errors import UsageError

PAGE = b'<meta name="generator" content="reprokit">'
"""Stands near the beginning of every page of ours."""
JUNIT = b"reprokit.audit"
"""The same of a JUnit report."""
_BEGINNING = 4096


def _refuse_what_is_not_ours(path: Path, mark: bytes) -> None:
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"`{path}` is no regular file", hint="name another file")
        with path.open("rb") as stream:
            beginning = stream.read(_BEGINNING)
            ours = not beginning or mark in beginning
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {error.strerror}", hint="name another file") from error
    if not ours:
        raise UsageError(f"`{path}` is there already, and was not written by reprokit", hint="name another file")


@contextmanager
def replaced(path: Path, *, ours: bytes) -> Iterator[TextIO]:
    """Write a file as a whole: an older one of ours is replaced when the block ends well, any other file is not.

    Raises:
        UsageError: there is another file, or it cannot be written.
    """
    _refuse_what_is_not_ours(path, ours)
    try:
        with _writing(path) as stream:
            yield stream
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {error.strerror}", hint="name a folder that is there") from error


@contextmanager
def _writing(path: Path) -> Iterator[TextIO]:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            yield stream
        # As readable as any file that this person makes.
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_page(path: Path, difference: Difference, bundles: Sequence[Bundle], folders: Sequence[Path]) -> None:
    """Write a comparison as an HTML page; an older page of ours is replaced, any other file is not.

    Raises:
        UsageError: there is another file, or the page cannot be written.
    """
    from reprokit.report.comparison_page import page  # noqa: PLC0415 - templates are read only for a page
    from reprokit.report.found_pictures import FoundPictures  # noqa: PLC0415 - the same

    with replaced(path, ours=PAGE) as stream:
        stream.write(page(difference, FoundPictures(bundles, folders)))
