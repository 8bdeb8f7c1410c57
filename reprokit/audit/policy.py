"""What a lab asks of its archive: `[audit]` in the archive's `reprokit.toml`.

    [audit]
    copies = 3                      # whole copies of each bundle, this one included
    remotes = ["nas", "offsite"]    # DVC remotes that must each hold every bundle
    mirrors = ["wandb"]             # mirrors that must each show every bundle
    read_every = "90d"              # each bundle is read whole at least so often
    reproduce_every = "365d"        # each is reproduced at least so often
    signed = true                   # each is signed by a key that the auditor trusts
    software_heritage = true        # commits should be held by Software Heritage
    retired_models = ["gpt-x"]      # models behind an API that you know to be gone
    removed = ["2026…-1f3a9c20"]    # bundles that were removed on purpose: nobody misses them

    [audit.places.nas]              # what NDSA asks of a copy's place: `here`, a remote or a mirror
    location = "Berlin"
    medium = "disk"
    threat = "flood plain"

Nothing is asked for where nothing is written; then the audit says what is there, and finds nothing missing.
"""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from reprokit.archive.layout import SETTINGS, Archive
from reprokit.archive.settings import read_settings
from reprokit.errors import UsageError

_TABLE = "audit"
_AGE = re.compile(r"(?P<number>[0-9]{1,5})(?P<unit>[hdwy])")
_UNITS = {
    "h": dt.timedelta(hours=1),
    "d": dt.timedelta(days=1),
    "w": dt.timedelta(weeks=1),
    "y": dt.timedelta(days=365),
}


class Place(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a copy is, as far as its keepers say."""

    location: str | None = None
    medium: str | None = None
    threat: Annotated[str | None, Meta(description="what may destroy it there")] = None


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    copies: Annotated[int, Meta(ge=1, le=100)] | None = None
    remotes: list[str] = []
    mirrors: list[str] = []
    read_every: str | None = None
    reproduce_every: str | None = None
    signed: bool = False
    software_heritage: bool = False
    retired_models: list[str] = []
    removed: list[str] = []
    places: dict[str, Place] = {}


class Policy(Struct, frozen=True, kw_only=True):
    """What is asked of every bundle; `None`, empty or false where nothing is."""

    copies: int | None = None
    remotes: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    read_every: dt.timedelta | None = None
    reproduce_every: dt.timedelta | None = None
    signed: bool = False
    software_heritage: bool = False
    retired_models: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    places: dict[str, Place] = {}


def age(text: str) -> dt.timedelta | None:
    """Read an age such as `90d`, `12h`, `2w` or `1y` (365 days); `None` when it is none."""
    match = _AGE.fullmatch(text)
    return None if match is None else int(match["number"]) * _UNITS[match["unit"]]


def policy_of(archive: Archive) -> Policy:
    """Read what an archive's settings ask for.

    Raises:
        UsageError: they cannot be followed; the setting is named.
        UnreadableError: the file cannot be read.
    """
    path = archive.root / SETTINGS
    table = read_settings(path).get(_TABLE, {})
    try:
        found = msgspec.convert(table, _Table)
    except msgspec.ValidationError as error:
        raise UsageError(f"`{path}`: `[{_TABLE}]` cannot be followed: {error}", hint=f"known are {_known()}") from error
    return Policy(
        copies=found.copies,
        remotes=tuple(found.remotes),
        mirrors=tuple(found.mirrors),
        read_every=_age(path, "read_every", found.read_every),
        reproduce_every=_age(path, "reproduce_every", found.reproduce_every),
        signed=found.signed,
        software_heritage=found.software_heritage,
        retired_models=tuple(found.retired_models),
        removed=tuple(found.removed),
        places=found.places,
    )


def _known() -> str:
    return ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(_Table))


def _age(path: Path, key: str, value: Any) -> dt.timedelta | None:
    if value is None:
        return None
    if (found := age(value)) is None:
        raise UsageError(f'`{path}`: `{key} = "{value}"` is no age', hint='write `"90d"`, `"12h"`, `"2w"` or `"1y"`')
    return found
