"""Obsolescence: whether what a run needs, or what it left, still has programs and services that can handle it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import urlsplit

import zstandard
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from reprokit.audit.asking import tables
from reprokit.audit.asking.tables import Provider
from reprokit.audit.held import Held
from reprokit.audit.policy import Policy
from reprokit.audit.statements import NotKnown, Statement
from reprokit.bundle.environment import Environment
from reprokit.bundle.finding import finding
from reprokit.bundle.reading import RECORD, Bundle
from reprokit.bundle.record import Record, SubjectPart
from reprokit.bundle.values import Json, Unknown
from reprokit.errors import ReprokitError
from reprokit.reproduce.inputs.repositories import BUILDERS, is_local, is_name
from reprokit.reproduce.inputs.served import is_served, kind_of_model

_LIBRARY = "datasets"
_NO_SCRIPTS_SINCE = Version("4.0.0")
_SCRIPTS_ALLOWED = "trust_remote_code"
_PICKLES = (".joblib", ".pickle", ".pkl", ".pt", ".pth")
_ARRAYS = ".npy"
_MAGIC = b"\x93NUMPY"
_OF_OBJECTS = re.compile(rb"'descr':[^\n]*\|O")
_HEADER = 4096
_MOST_NAMED = 3
_NEAR = re.compile(r"localhost|[^.]+|.*\.(local|localdomain|internal|lan|intranet|home|corp)", re.IGNORECASE)


def check(held: Held, policy: Policy, now: dt.datetime) -> Iterator[Statement]:
    """Look for datasets that scripts read, models behind an API that are retired, and files that only code can read.

    Nobody is asked. A bundle that cannot be read is told as not known.
    """
    bundle = held.bundle
    if bundle is None:
        because = "its records cannot be read" if held.here else "it is not in this copy of the archive"
        yield NotKnown(where=held.id, because=because)
        return
    yield from _datasets(bundle)
    for at, part in enumerate(bundle.record.subject.models):
        if is_served(bundle.record, part, main=at == 0):
            yield from _model(bundle.record, part, policy, now.date())
    yield from _files(bundle)


def _datasets(bundle: Bundle) -> Iterator[Statement]:
    try:
        library = _library(bundle.environment)
        trusted = _trusted(bundle)
    except ReprokitError as error:
        yield NotKnown(where=RECORD, because=error.message)
        return
    for part in bundle.record.subject.datasets if library is not None else ():
        read_by = _read_by_script(part)
        if read_by == "yes":
            yield finding("W431", RECORD, f"`{part.name}`, by {library}")
        elif read_by == "unknown":
            let = trusted is not None and (not trusted or bool(trusted & set(part.tasks)))
            because = f"whether a script read it is not recorded, and {library} may have run one"
            yield NotKnown(
                where=f"`{part.name}`", because=f"{because}: `{_SCRIPTS_ALLOWED}` let it" if let else because
            )


def _library(environment: Environment | None) -> str | None:
    """Name the library of datasets that a run had; `None` when there was none, or one that runs no scripts."""
    unknown = f"`{_LIBRARY}` of unknown version"
    if environment is None or isinstance(environment.packages, Unknown):
        return unknown
    installed = [each.version for each in environment.packages if canonicalize_name(each.name) == _LIBRARY]
    try:
        return next((f"`{_LIBRARY}` {each}" for each in installed if Version(each) < _NO_SCRIPTS_SINCE), None)
    except InvalidVersion:
        return unknown


def _read_by_script(part: SubjectPart) -> Literal["yes", "no", "unknown"]:
    """Tell whether a dataset of a hub, or one's own, has a script that reads it, as far as its files were recorded."""
    if part.name in BUILDERS:
        return "no"
    script = f"{PurePosixPath(part.name).name.removesuffix('.py')}.py"
    if any(each.role == "code" and PurePosixPath(each.path).name == script for each in part.files):
        return "yes"
    whole = bool(part.files) and not part.files_left_out and (part.place is None or "/snapshots/" in part.place)
    if is_local(part) or whole:
        return "no"
    return "unknown" if is_name(part.name) else "no"


def _trusted(bundle: Bundle) -> set[str] | None:
    """Name the tasks that were allowed to run a dataset's code: none means all; `None` that nothing allowed it."""
    argv = bundle.record.invocation.argv
    words = [] if isinstance(argv, Unknown) else [word for word in argv if isinstance(word, str)]
    if any(_SCRIPTS_ALLOWED in word.replace("-", "_") for word in words) or _allows(bundle.record.harness.claims):
        return set()
    named = {task.name for task in bundle.results.tasks if _allows(task.config)}
    return named or None


def _allows(table: Json) -> bool:
    """Look for the switch in a table, or in one within it."""
    if not isinstance(table, dict):
        return False
    tables_in_it = [table, *(value for value in table.values() if isinstance(value, dict))]
    return any(each.get(_SCRIPTS_ALLOWED) in (True, "True", "true") for each in tables_in_it)


def _model(record: Record, part: SubjectPart, policy: Policy, today: dt.date) -> Iterator[Statement]:
    names = _spellings(part.name)
    if names & {each.lower() for each in policy.retired_models}:
        yield finding("W432", RECORD, f"`{part.name}`, as `retired_models` in `reprokit.toml` says")
        return
    if part.server is not None and _is_near(part.server.endpoint):
        return
    provider = _provider(record, part)
    if provider is None:
        yield NotKnown(
            where=f"`{part.name}`", because="whether it is still served, nobody here can tell: no table has it"
        )
        return
    end = next((day for name in sorted(names) if (day := provider.end_of(name)) is not None), None)
    known = f"as far as {provider.name}'s dates were known on {provider.as_of.isoformat()}"
    if end is None:
        yield NotKnown(where=f"`{part.name}`", because=f"it is not retired {known}; they may have gone on since")
    elif end <= today:
        yield finding("W432", RECORD, f"`{part.name}`, since {end.isoformat()}, by {provider.name}")
    else:
        yield NotKnown(where=f"`{part.name}`", because=f"it is to be retired on {end.isoformat()}, {known}")


def _spellings(name: str) -> set[str]:
    """Give a name as it is and without the provider that some programs put before it."""
    return {name.lower(), name.lower().rpartition("/")[2]}


def _is_near(endpoint: str) -> bool:
    """Tell whether an endpoint is a machine of one's own, by its name or number."""
    host = _host(endpoint)
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return _NEAR.fullmatch(host) is not None


def _host(endpoint: str) -> str:
    try:
        return urlsplit(endpoint).hostname or ""
    except ValueError:
        return ""


def _provider(record: Record, part: SubjectPart) -> Provider | None:
    if part.server is not None:
        host = _host(part.server.endpoint)
        return next((each for each in tables.providers() if host in each.hosts), None)
    kind = kind_of_model(record, part)
    return next((each for each in tables.providers() if kind in each.kinds), None)


def _files(bundle: Bundle) -> Iterator[Statement]:
    """Look at the names of files; of arrays also at the beginning, which says whether they hold Python objects."""
    found: dict[str, list[str]] = {}
    for path in sorted(file.path for file in bundle.record.files):
        suffix = PurePosixPath(path.lower()).suffix
        if suffix in _PICKLES:
            found.setdefault(suffix, []).append(path)
        elif suffix == _ARRAYS:
            objects = _holds_objects(bundle, path)
            if objects is None:
                yield NotKnown(where=path, because="whether the array holds Python objects cannot be read")
            elif objects:
                found.setdefault(suffix, []).append(path)
    for paths in found.values():
        more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
        yield finding("W433", paths[0], ", ".join(f"`{path}`" for path in paths[:_MOST_NAMED]) + more)


def _holds_objects(bundle: Bundle, path: str) -> bool | None:
    """Tell whether an array file holds objects, which are pickles; `None` when it cannot be told."""
    try:
        with bundle.open(path) as stream:
            header = stream.read(_HEADER)
    except (ReprokitError, OSError, zstandard.ZstdError):
        return None
    if not header.startswith(_MAGIC):
        return None
    return _OF_OBJECTS.search(header) is not None
