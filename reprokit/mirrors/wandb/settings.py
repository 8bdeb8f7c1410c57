"""Where bundles go: from the environment, `[mirror.wandb]` in `reprokit.toml`, W&B's own settings, and defaults."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from reprokit.errors import UsageError
from reprokit.mirrors.interface import Destination, Environment
from reprokit.mirrors.wandb import address, names, user_settings

TABLE = "mirror.wandb"
MOST_ROWS = 10_000
"""W&B shows no more rows of one table, and drops what is beyond without a word."""
_PROJECT = "reprokit"
_JOB_TYPE = "eval"
_KEYS = ("base_url", "entity", "group", "job_type", "name", "notes", "project", "sample_rows", "tags")
_VARIABLES = {
    "base_url": "WANDB_BASE_URL",
    "entity": "WANDB_ENTITY",
    "group": "WANDB_RUN_GROUP",
    "job_type": "WANDB_JOB_TYPE",
    "name": "WANDB_NAME",
    "notes": "WANDB_NOTES",
    "project": "WANDB_PROJECT",
}
_LABELS = ("group", "job_type", "name")
_NOTES = "notes"
_TAGS = "WANDB_TAGS"
_FOLDER = "WANDB_DIR"
_MODE = "WANDB_MODE"
Mode: TypeAlias = Literal["online", "offline", "disabled"]
_MODES: dict[str, Mode] = {
    "online": "online",
    "shared": "online",
    "run": "online",
    "offline": "offline",
    "dryrun": "offline",
    "disabled": "disabled",
}


class Options(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How bundles are filed and shown; `Destination.options` holds it as JSON.

    `folder` is where runs are written that are to be sent later (`WANDB_DIR`).
    """

    entity: str | None = None
    project: str = _PROJECT
    group: str | None = None
    job_type: str = _JOB_TYPE
    name: str | None = None
    notes: str | None = None
    tags: tuple[str, ...] = ()
    sample_rows: int | None = None
    folder: str | None = None


def options(to: Destination) -> Options:
    """Give the options that a destination holds.

    Raises:
        UsageError: it holds something else; a file of the outbox was changed.
    """
    try:
        return msgspec.convert(to.options, Options)
    except msgspec.ValidationError as error:
        raise UsageError(f"what is to go to W&B is filed in a way that nobody knows: {error}") from error


def destination(settings: Mapping[str, Any], environment: Environment, *, own: bool) -> Destination:
    """Settle where bundles go.

    How a run is shown may be set in the environment for another run, a training for one: such a text is made to fit.

    Raises:
        UsageError: a setting is misspelt, of the wrong kind, or a name that W&B does not take; or only a file of an
            archive names the address, and it is in the clear.
    """
    filed = _filed(settings)
    named = _named(environment)
    theirs = user_settings.read(environment)
    base_url, trusted = _address(named, filed, theirs, own=own)
    texts = {key: named.get(key) or filed.get(key) or theirs.get(key) for key in _VARIABLES}
    made = Options(
        entity=_checked(texts, "entity"),
        project=_checked(texts, "project") or _PROJECT,
        group=_checked(texts, "group"),
        job_type=_checked(texts, "job_type") or _JOB_TYPE,
        name=_checked(texts, "name"),
        notes=texts["notes"],
        tags=_tags(filed, environment),
        sample_rows=_rows(filed),
        folder=environment.get(_FOLDER) or None,
    )
    return Destination(
        mirror="wandb",
        mode=_mode(environment, theirs),
        address=base_url,
        trusted=trusted,
        options=msgspec.to_builtins(made),
    )


def _named(environment: Environment) -> dict[str, str]:
    """Read the variables that are set; those that only say how a run is shown are made to fit."""
    given = {key: value for key, name in _VARIABLES.items() if (value := environment.get(name, "").strip())}
    shown = {key: names.fitted(given[key]) for key in _LABELS if key in given}
    if _NOTES in given:
        # Bytes that are no text, which JSON cannot hold; lines may stand in it.
        shown[_NOTES] = given[_NOTES].encode("utf-8", errors="replace").decode("utf-8")
    return {key: value for key, value in (given | shown).items() if value}


def _filed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Check the table of the settings file: its keys, and that texts are texts."""
    for key, value in settings.items():
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key).lower(), _KEYS, n=1)
            known = ", ".join(f"`{each}`" for each in _KEYS)
            raise UsageError(
                f"`{TABLE}.{key}` is no setting of the mirror on W&B",
                hint=f"did you mean `{near[0]}`?" if near else f"known are {known}",
            )
        if key in _VARIABLES and not isinstance(value, str):
            raise UsageError(f"`{TABLE}.{key}` is no text", hint=f'write it as `{key} = "…"`')
    return {key: value.strip() if isinstance(value, str) else value for key, value in settings.items()}


def _address(
    named: Mapping[str, str], filed: Mapping[str, Any], theirs: Mapping[str, str], *, own: bool
) -> tuple[str, bool]:
    """Give the address, and whether it is the user, not only a file of an archive, who named it."""
    users = address.DEFAULT
    if "base_url" in theirs:
        users = address.normal(theirs["base_url"], named_by="W&B's own settings file")
    if "base_url" in named:
        return address.normal(named["base_url"], named_by="WANDB_BASE_URL"), True
    if filed.get("base_url"):
        wanted = address.normal(filed["base_url"], named_by=f"`{TABLE}.base_url`")
        trusted = own or wanted == users
        if not trusted and not address.is_private(wanted):
            raise UsageError(
                f"`{TABLE}.base_url` names `{wanted}`, and what only an archive's file names is not used in the clear",
                hint=f"if you trust it, set WANDB_BASE_URL={wanted}",
            )
        return wanted, trusted
    return users, True


def _checked(texts: Mapping[str, str | None], key: str) -> str | None:
    """Check a name by W&B's rules, and say of which setting it is when it breaks one."""
    text = texts[key]
    if not text:
        return None
    try:
        match key:
            case "entity":
                return names.require_entity(text)
            case "project":
                return names.require_project(text)
            case "name":
                return names.require_label("name of a run", text)
            case _:
                return names.require_label(key.replace("_", " "), text)
    except UsageError as error:
        raise UsageError(
            error.message, hint=f"it is from {_VARIABLES[key]}, `{TABLE}.{key}` or W&B's settings"
        ) from None


def _tags(filed: Mapping[str, Any], environment: Environment) -> tuple[str, ...]:
    given = [names.fitted(each, names.LONGEST_TAG) for each in environment.get(_TAGS, "").split(",")]
    tags = [each for each in given if each] or filed.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(each, str) for each in tags):
        raise UsageError(f"`{TABLE}.tags` is no list of texts", hint='write it as `tags = ["baseline"]`')
    return tuple(dict.fromkeys(names.require_tag(each) for each in tags if each))


def _rows(filed: Mapping[str, Any]) -> int | None:
    rows: object = filed.get("sample_rows")
    if rows is None:
        return None
    if isinstance(rows, bool) or not isinstance(rows, int) or not 0 <= rows <= MOST_ROWS:
        raise UsageError(
            f"`{TABLE}.sample_rows` is no number from 0 to {MOST_ROWS}", hint="W&B shows no more of a table"
        )
    return rows


def _mode(environment: Environment, theirs: Mapping[str, str]) -> Mode:
    given = environment.get(_MODE, "").strip() or theirs.get("mode", "online")
    try:
        return _MODES[given.lower()]
    except KeyError:
        known = ", ".join(f"`{each}`" for each in ("online", "offline", "disabled"))
        raise UsageError(f"WANDB_MODE is `{given[:40]}`, which is none", hint=f"known are {known}") from None
