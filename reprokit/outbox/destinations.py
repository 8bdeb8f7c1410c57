"""Where bundles go on a mirror: what `[mirror.NAME]` of a `reprokit.toml` says, and the environment above it.

    [mirror.wandb]
    project = "evals"

The archive's own file counts first, as what all who use it have agreed on; then the nearest in or above the working
directory; then the user's own. The first that has such a table is followed. Only the last is known to be the user's:
what another says may be a stranger's, and the mirror is told so.

A file of a checkout, which is neither the archive's nor the user's, may say how a bundle is shown, and not to whom it
goes. What the file that is followed leaves open of that, the user's own says.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from reprokit.archive import location
from reprokit.archive.layout import SETTINGS, Archive
from reprokit.archive.settings import is_archive, read_settings
from reprokit.errors import UsageError
from reprokit.mirrors import table
from reprokit.mirrors.interface import Destination, Mirror

_TABLE = "mirror"
_TAGS = "tags"
_FOLDER = "folder"
_TO_WHOM: Mapping[str, Mapping[str, str]] = {"wandb": {"base_url": "WANDB_BASE_URL", "entity": "WANDB_ENTITY"}}
"""The settings of a mirror that say to whom a bundle goes, and the variable that says it too."""


@dataclass(frozen=True, kw_only=True)
class _Written:
    """What is written of a mirror, and where; `own` when it is the user's word, `users` all of that."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
    own: bool = True
    users: Mapping[str, Any] = field(default_factory=dict)


def destination(
    archive: Archive,
    name: str,
    *,
    environment: Mapping[str, str],
    directory: Path,
    tags: Sequence[str] = (),
    mirror: Mirror | None = None,
) -> Destination:
    """Settle where the bundles of an archive go on a mirror.

    Args:
        archive: whose settings count first.
        name: of the mirror.
        environment: the environment variables.
        directory: the working directory.
        tags: what is to be shown with the bundle besides its own tags and those of the settings.
        mirror: the mirror of that name, if it is at hand.

    Raises:
        UsageError: there is no such mirror, or a setting is misspelt or cannot be followed.
        UnreadableError: a settings file cannot be read.
    """
    mirror = mirror or table.mirror(name)
    written = _written(archive, directory, name, environment)
    try:
        made = _made(mirror, written, environment)
    except UsageError as error:
        if written.path is None or error.hint:
            raise
        raise UsageError(error.message, hint=f"see `[{_TABLE}.{name}]` in `{written.path}`") from error
    made = _with_tags(made, mirror, tags) if tags else made
    folder = made.options.get(_FOLDER)
    if isinstance(folder, str):
        # It is used later, and from another directory.
        made = msgspec.structs.replace(made, options={**made.options, _FOLDER: str(directory.absolute() / folder)})
    return made


def told(to: Destination) -> str:
    """Write a destination for people: `wandb (lab/evals at https://api.wandb.ai)`."""
    place = "/".join(str(to.options[key]) for key in ("entity", "project") if to.options.get(key))
    return f"{to.mirror} ({place} at {to.address})" if place else f"{to.mirror} ({to.address})"


def _made(mirror: Mirror, written: _Written, environment: Mapping[str, str]) -> Destination:
    """Ask the mirror; an address is trusted when it is the one that would count without the archive's file."""
    made = mirror.destination(written.settings, environment, own=True)
    if written.own:
        return made
    try:
        if made.address == mirror.destination(written.users, environment, own=True).address:
            return made
    except UsageError:
        pass  # The user's own word cannot be followed, so it is not known to be the same.
    theirs = mirror.destination(written.settings, environment, own=False)
    return msgspec.structs.replace(theirs, trusted=False)


def _with_tags(made: Destination, mirror: Mirror, tags: Sequence[str]) -> Destination:
    """Add tags to those of a destination, once the mirror has found nothing wrong with them."""
    checked = mirror.destination({_TAGS: list(tags)}, {}, own=True).options[_TAGS]
    options = {**made.options, _TAGS: list(dict.fromkeys([*made.options.get(_TAGS, ()), *checked]))}
    return msgspec.structs.replace(made, options=options)


def _written(archive: Archive, directory: Path, name: str, environment: Mapping[str, str]) -> _Written:
    *shared, own = location.settings_files(directory)
    archives = archive.root / SETTINGS
    users = _table_of(own, name) or {}
    to_whom = _TO_WHOM.get(name, {})
    for path in (archives, *shared):
        settings = _table_of(path, name)
        if settings is None or path == own:
            continue
        # Where there is no archive, a folder that is none may stand in its place.
        if path != archives or not is_archive(archive.root):
            settings = _shown_only(path, name, settings, environment, (archives, own))
        left_open = {key: users[key] for key in to_whom if key in users and key not in settings}
        return _Written(settings={**settings, **left_open}, path=path, own=False, users=users)
    return _Written(settings=users, path=own if users else None, users=users)


def _table_of(path: Path, name: str) -> Mapping[str, Any] | None:
    """Read what a settings file says of a mirror; `None` when it says nothing."""
    mirrors = read_settings(path).get(_TABLE)
    if mirrors is None:
        return None
    if not isinstance(mirrors, dict):
        raise UsageError(f"`{path}`: `{_TABLE}` is no table", hint=f"write `[{_TABLE}.{name}]`")
    _refuse_unknown(path, mirrors)
    settings: object = mirrors.get(name)
    if settings is None:
        return None
    if not isinstance(settings, dict):
        raise UsageError(f"`{path}`: `{_TABLE}.{name}` is no table", hint=f"write `[{_TABLE}.{name}]`")
    return settings


def _shown_only(
    path: Path, name: str, settings: Mapping[str, Any], environment: Mapping[str, str], instead: tuple[Path, Path]
) -> dict[str, Any]:
    """Refuse what a file of a checkout says of whom a bundle goes to, unless a variable says it above it."""
    to_whom = _TO_WHOM.get(name, {})
    for key, variable in to_whom.items():
        if key in settings and not environment.get(variable, "").strip():
            raise UsageError(
                f"`{path}`: `{key}` in `[{_TABLE}.{name}]` is not followed: the file is no archive's, nor your own",
                hint=f"write it into `{instead[0]}` or `{instead[1]}`, or set {variable}",
            )
    return {key: value for key, value in settings.items() if key not in to_whom}


def _refuse_unknown(path: Path, mirrors: Mapping[str, Any]) -> None:
    known = table.names()
    for key in mirrors:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = (
                f"did you mean `[{_TABLE}.{near[0]}]`?" if near else f"there are {', '.join(f'`{e}`' for e in known)}"
            )
            raise UsageError(f"`{path}`: there is no mirror `{key}` to be set", hint=hint)
