"""Pages that a command writes besides what it prints."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from reprokit.bundle.reading import Bundle
from reprokit.diff.difference import Difference
from reprokit.errors import UsageError

_OURS = b'<meta name="generator" content="reprokit">'
_BEGINNING = 4096


def _refuse_what_is_not_ours(path: Path) -> None:
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"`{path}` is no regular file", hint="name another file")
        with path.open("rb") as stream:
            beginning = stream.read(_BEGINNING)
            ours = not beginning or _OURS in beginning
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {error.strerror}", hint="name another file") from error
    if not ours:
        raise UsageError(f"`{path}` is there already, and is no page of reprokit's", hint="name another file")


def _write(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
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

    _refuse_what_is_not_ours(path)
    text = page(difference, FoundPictures(bundles, folders))
    try:
        _write(path, text)
    except OSError as error:
        raise UsageError(f"`{path}` cannot be written: {error.strerror}", hint="name a folder that is there") from error
