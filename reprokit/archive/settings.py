"""Reading `reprokit.toml`: in an archive it marks the root, elsewhere it may name the archive to use."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from reprokit.archive.layout import FORMAT, SETTINGS
from reprokit.errors import NewerFormatError, UnreadableError


def read_settings(path: Path) -> dict[str, Any]:
    """Read a settings file; empty when there is none.

    Raises:
        UnreadableError: it is there and cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise UnreadableError(
            f"`{path}` cannot be read: {error}", hint="mend it, or name the archive with `--archive`"
        ) from error


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
    """
    named = read_settings(path).get("archive")
    return path.parent / Path(named).expanduser() if isinstance(named, str) and named else None
