"""Whose signatures count: the user's own file of allowed signers, and of keys that are revoked.

    [trust]                                     # in ~/.config/reprokit/reprokit.toml, and in no other
    allowed_signers = "~/.ssh/allowed_signers"  # or `REPROKIT_ALLOWED_SIGNERS`
    revoked_keys = "~/.ssh/revoked_keys"        # if there are any

A file of an archive or of a checkout is not asked: whoever brings a bundle might bring that, too. For the same reason
none of these files may be one that others can write to, or replace.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reprokit.archive import location, small_file
from reprokit.archive.settings import expand, read_settings
from reprokit.errors import NotFoundError, UnreadableError, UsageError

VARIABLE = "REPROKIT_ALLOWED_SIGNERS"
_TABLE = "trust"
_SIGNERS, _REVOKED = "allowed_signers", "revoked_keys"
_LARGEST = 1 << 22  # bytes
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, kw_only=True)
class Signers:
    """The bytes of the file of allowed signers and, if there is one, of that of revoked keys, and where they lie."""

    path: Path
    allowed: bytes
    revoked_path: Path | None = None
    revoked: bytes | None = None


def allowed_signers(environment: Mapping[str, str]) -> Signers:
    """Read whose signatures count.

    Raises:
        NotFoundError: nobody has named a file of allowed signers, or it is not there.
        UsageError: the settings cannot be followed, or others can write to a file.
        UnreadableError: a file cannot be read.
    """
    *_, own = location.settings_files(Path("/"))
    table = _table(own)
    variable = environment.get(VARIABLE)
    named = _of_variable(variable) if variable else _named(own, table, _SIGNERS)
    if named is None:
        raise NotFoundError(
            "you have named no file of allowed signers",
            hint=f'`[{_TABLE}]` with `{_SIGNERS} = "…"` in `{own}`, or {VARIABLE}',
        )
    revoked = _named(own, table, _REVOKED)
    return Signers(
        path=named,
        allowed=_read(named),
        revoked_path=revoked,
        revoked=None if revoked is None else _read(revoked),
    )


def _table(own: Path) -> Mapping[str, object]:
    """Read what the user's own settings say of trust."""
    table = read_settings(own).get(_TABLE, {})
    if not isinstance(table, dict):
        raise UsageError(f"`{own}`: `{_TABLE}` is no table", hint=f"write `[{_TABLE}]`")
    for key, value in table.items():
        if key not in {_SIGNERS, _REVOKED}:
            raise UsageError(f"`{own}`: `[{_TABLE}]` has no `{key}`", hint=f"known are `{_SIGNERS}` and `{_REVOKED}`")
        if not isinstance(value, str) or not value:
            raise UsageError(f"`{own}`: `{key}` in `[{_TABLE}]` names no file", hint=f'write `{key} = "…"`')
    if table:
        _require_ours(own)
    return table


def _named(own: Path, table: Mapping[str, object], key: str) -> Path | None:
    value = table.get(key)
    return own.parent / expand(Path(value), f"`{own}`") if isinstance(value, str) else None


def _of_variable(value: str) -> Path:
    path = expand(Path(value), f"`{VARIABLE}`")
    if not path.is_absolute():
        # It would mean a stranger's file where the working directory is a stranger's checkout.
        raise UsageError(f"`{VARIABLE}` is `{value}`, and no whole path", hint="write it from `/` or `~` on")
    return path


def _read(path: Path) -> bytes:
    _require_ours(path)
    try:
        return small_file.read(Path(os.path.realpath(path)), most=_LARGEST)
    except FileNotFoundError:
        raise NotFoundError(f"there is no file `{path}`", hint="make it, or name another") from None
    except OSError as error:
        raise UnreadableError(f"`{path}` cannot be read: {error.strerror or error}") from error


def _require_ours(path: Path) -> None:
    """Refuse a file that somebody else owns, can write to, or can put another in the place of; as ssh does."""
    real = Path(os.path.realpath(path))
    ways: Iterable[Path] = (real, *real.parents, *path.absolute().parents)
    for each in dict.fromkeys(ways):
        try:
            state = each.stat()
        except FileNotFoundError:
            continue  # which is told when it is read
        except OSError as error:
            raise UnreadableError(f"`{each}` cannot be read: {error.strerror or error}") from error
        if state.st_uid not in {0, os.geteuid()}:
            raise UsageError(f"`{path}` is not followed: `{each}` is somebody else's", hint="keep it in your home")
        # In a folder like `/tmp`, only its owner can replace a file.
        sticky = stat.S_ISDIR(state.st_mode) and state.st_mode & stat.S_ISVTX
        if state.st_mode & _OTHERS and not sticky:
            raise UsageError(f"`{path}` is not followed: others can write to `{each}`", hint=f"`chmod go-w {each}`")
