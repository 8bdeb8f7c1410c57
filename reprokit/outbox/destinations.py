"""Where bundles go on a mirror: what `[mirror.NAME]` of a `reprokit.toml` says, and the environment above it.

    [mirror.wandb]
    project = "evals"

The archive's own file counts first, as what all who use it have agreed on; then the nearest in or above the working
directory; then the user's own. The first that has such a table is followed. Only the last is known to be the user's:
what another says may be a stranger's, and the mirror is told so.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from reprokit.archive import location
from reprokit.archive.layout import SETTINGS, Archive
from reprokit.archive.settings import read_settings
from reprokit.errors import UsageError
from reprokit.mirrors import table
from reprokit.mirrors.interface import Destination, Mirror

_TABLE = "mirror"
_TAGS = "tags"
_FOLDER = "folder"


@dataclass(frozen=True, kw_only=True)
class _Written:
    """What is written of a mirror, and where; `own` when it is the user's word."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None
    own: bool = True


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
    written = _written(archive, directory, name)
    try:
        made = mirror.destination(written.settings, environment, own=written.own)
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


def _with_tags(made: Destination, mirror: Mirror, tags: Sequence[str]) -> Destination:
    """Add tags to those of a destination, once the mirror has found nothing wrong with them."""
    checked = mirror.destination({_TAGS: list(tags)}, {}, own=True).options[_TAGS]
    options = {**made.options, _TAGS: list(dict.fromkeys([*made.options.get(_TAGS, ()), *checked]))}
    return msgspec.structs.replace(made, options=options)


def _written(archive: Archive, directory: Path, name: str) -> _Written:
    for path, own in _files(archive, directory):
        mirrors = read_settings(path).get(_TABLE)
        if mirrors is None:
            continue
        if not isinstance(mirrors, dict):
            raise UsageError(f"`{path}`: `{_TABLE}` is no table", hint=f"write `[{_TABLE}.{name}]`")
        _refuse_unknown(path, mirrors)
        settings = mirrors.get(name)
        if settings is None:
            continue
        if not isinstance(settings, dict):
            raise UsageError(f"`{path}`: `{_TABLE}.{name}` is no table", hint=f"write `[{_TABLE}.{name}]`")
        return _Written(settings=settings, path=path, own=own)
    return _Written()


def _files(archive: Archive, directory: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the settings files in the order in which they count, and whether each is the user's own."""
    *shared, own = location.settings_files(directory)
    for path in (archive.root / SETTINGS, *shared):
        yield path, path == own
    yield own, True


def _refuse_unknown(path: Path, mirrors: Mapping[str, Any]) -> None:
    known = table.names()
    for key in mirrors:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = (
                f"did you mean `[{_TABLE}.{near[0]}]`?" if near else f"there are {', '.join(f'`{e}`' for e in known)}"
            )
            raise UsageError(f"`{path}`: there is no mirror `{key}` to be set", hint=hint)
