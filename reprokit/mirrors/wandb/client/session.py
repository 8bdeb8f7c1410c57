"""A talk with a W&B server through its client: what it holds under a name, as it says itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import wandb

from reprokit.errors import FixityError, NotFoundError, RemoteError
from reprokit.mirrors.wandb import digest, names
from reprokit.mirrors.wandb.client import failures
from reprokit.mirrors.wandb.reference import Reference
from reprokit.mirrors.wandb.settings import Options
from reprokit.mirrors.wandb.wire import Sent

T = TypeVar("T")

_PATIENCE = 30
"""Seconds for one question."""
_COMMITTED = "COMMITTED"
_MOST_VERSIONS = 50
"""As many versions are looked through for one that holds the same: a page."""
_SCHEME = "wandb:"
_LIKELY = ("latest", "v0")
"""Under these, a version of an artifact is found, if there is one."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """A talk; nothing that it tells is kept from an earlier one. `api` is W&B's client's own."""

    api: Any
    entity: str
    project: str


def begin(options: Options) -> Session:
    """Begin a talk.

    Raises:
        RemoteError: the key belongs to nobody whose projects could be meant.
    """
    api = wandb.Api(timeout=_PATIENCE)
    entity = options.entity or api.default_entity
    if not entity:
        raise RemoteError(
            "the key for W&B belongs to nobody with projects of their own",
            hint="say whose project it is: WANDB_ENTITY, or `entity` in `[mirror.wandb]`",
        )
    return Session(api=api, entity=entity, project=options.project)


def _or_none(ask: Callable[[], T]) -> T | None:
    """Ask for something that need not be there; no failure of the question is taken for an answer."""
    try:
        return ask()
    except Exception as error:
        if failures.is_missing(error):
            return None
        raise


def version(session: Session, name: str, alias: str, wanted: str) -> Any:
    """Find the version, committed and of this digest, of an artifact; `None` when there is none.

    It is looked for under its alias first, and then among the latest ones, where it may have lost its alias.
    """
    path = f"{session.entity}/{session.project}/{name}"
    found = _or_none(lambda: session.api.artifact(f"{path}:{alias}"))
    if found is not None and holds(found, wanted):
        return found

    def look_through() -> Any:
        versions = session.api.artifacts(names.ARTIFACT_TYPE, path, per_page=_MOST_VERSIONS)
        return next((each for each in islice(versions, _MOST_VERSIONS) if holds(each, wanted)), None)

    return _or_none(look_through)


def require_type(session: Session, name: str) -> None:
    """Go on only when no artifact of another type has this name: a name has one type for ever.

    Raises:
        RemoteError: one has.
    """
    path = f"{session.entity}/{session.project}/{name}"
    asked = (_or_none(partial(session.api.artifact, f"{path}:{alias}")) for alias in _LIKELY)
    found = next((each for each in asked if each is not None), None)
    if found is not None and found.type != names.ARTIFACT_TYPE:
        raise RemoteError(
            f"W&B has an artifact `{path}` of another type already: `{found.type}`, not `{names.ARTIFACT_TYPE}`",
            hint="rename or delete it there, or push to another project (`WANDB_PROJECT`, `mirror.wandb.project`)",
        )


def holds(version_: Any, wanted: str) -> bool:
    """Tell whether a version is committed and has this digest."""
    return bool(version_.state == _COMMITTED and version_.digest == wanted)


def named(session: Session, reference: Reference) -> Any:
    """Give the version that a reference means.

    Raises:
        NotFoundError: none.
    """
    path = f"{reference.entity or session.entity}/{reference.project}/{reference.name}:{reference.alias}"
    found = _or_none(lambda: session.api.artifact(path))
    if found is None or found.state != _COMMITTED:
        raise NotFoundError(
            f"W&B has no `{path}`", hint="look there for the name of the artifact and its versions, and whose they are"
        )
    return found


def pinned(version_: Any) -> str:
    """Write the reference of a version, with its number, which never comes to mean another one."""
    name = version_.name.partition(":")[0]
    return f"{_SCHEME}{version_.entity}/{version_.project}/{name}:{version_.version}"


def listed(version_: Any) -> dict[str, Sent]:
    """Read the list of files that the server has of a version.

    Raises:
        FixityError: there is something in it that is no file of its own with an MD5.
    """
    files: dict[str, Sent] = {}
    for path, entry in version_.manifest.entries.items():
        if entry.ref is not None or entry.size is None:
            raise FixityError(f"W&B has `{path}` as a reference to elsewhere, not as a file")
        try:
            files[str(path)] = Sent(md5=digest.md5_of(entry.digest), size=entry.size)
        except ValueError as error:
            raise FixityError(f"W&B has `{path}` with a digest that is no MD5") from error
    return files


def run(session: Session, run_id: str) -> Any:
    """Give a run; `None` when there is none of this id."""
    return _or_none(lambda: session.api.run(f"{session.entity}/{session.project}/{run_id}"))
