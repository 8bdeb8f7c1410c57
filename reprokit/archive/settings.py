"""Reading `reprokit.toml`: in an archive it marks the root, elsewhere it may name the archive to use."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reprokit.archive import small_file
from reprokit.archive.layout import FORMAT, SETTINGS
from reprokit.bundle.finding import Finding, finding
from reprokit.errors import NewerFormatError, UnreadableError, UsageError

KNOWN = ("archive", "audit", "capture", "mirror", "script", "trust")
"""What may stand at the top of a settings file."""

_LARGEST = 1 << 20
_SHOWN = 60


def read_settings(path: Path) -> dict[str, Any]:
    """Read a settings file; empty when there is none.

    It may be a link, as people keep such files elsewhere; what it leads to must be a regular file.

    Raises:
        UnreadableError: it is there and cannot be read.
    """
    try:
        data = small_file.read(Path(os.path.realpath(path)), most=_LARGEST)
        return tomllib.loads(data.decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except RecursionError as error:
        raise _unreadable(path, "it is nested too deeply") from error
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _unreadable(path, str(error)) from error


def _unreadable(path: Path, why: str) -> UnreadableError:
    return UnreadableError(f"`{path}` cannot be read: {why}", hint="mend it, or name the archive with `--archive`")


def is_archive(root: Path) -> bool:
    """Tell whether a folder is the root of an archive.

    Raises:
        NewerFormatError: it is, but of a format that this version does not know.
        UnreadableError: its settings cannot be read.
    """
    mark = read_settings(root / SETTINGS).get("archive")
    if not isinstance(mark, dict):
        return False
    form = mark.get("format")
    if not isinstance(form, int):
        raise UnreadableError(f"`{root / SETTINGS}` does not say the format of the archive", hint="write `format = 1`")
    if form > FORMAT:
        raise NewerFormatError(
            f"`{root}` has format {form}, this version reads up to {FORMAT}", hint="install a newer reprokit"
        )
    return True


def named_archive(path: Path) -> Path | None:
    """Give the archive that a settings file names, relative to the file; `None` when it names none.

    Raises:
        UnreadableError: the file cannot be read.
        UsageError: it names the home of a user who does not exist.
    """
    named = read_settings(path).get("archive")
    return path.parent / expand(Path(named), f"`{path}`") if isinstance(named, str) and named else None


def expand(path: Path, named_by: str) -> Path:
    """Put the home folder in the place of a leading `~` or `~user`.

    Raises:
        UsageError: there is no such user, or nobody knows where the home is; `named_by` tells who said so.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise UsageError(
            f"{named_by} says `{path}`, and there is no home folder `{path.parts[0]}`", hint="write the whole path"
        ) from None


def unknown_keys(path: Path) -> Iterator[Finding]:
    """Yield a finding for each thing at the top of a settings file that nobody reads: it is most likely misspelt.

    A file that cannot be read has none: to read it for a purpose says so.
    """
    try:
        settings = read_settings(path)
    except UnreadableError:
        return
    for key in settings:
        if key not in KNOWN:
            near = difflib.get_close_matches(key.lower(), KNOWN, n=1)
            known = ", ".join(f"`{each}`" for each in KNOWN)
            detail = f"did you mean `{near[0]}`?" if near else f"known are {known}"
            yield finding("W357", str(path), f"`{key[:_SHOWN]}`; {detail}")
