"""What the Python of a re-run is to hold, as a bundle's records say: read as data, and nothing of it obeyed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidName, canonicalize_name

from reprokit import git_address
from reprokit.archive.locks import CompletedLock
from reprokit.bundle import bag, paths
from reprokit.bundle.environment import Environment, Interpreter, Package
from reprokit.bundle.reading import LOCK, Bundle
from reprokit.bundle.source import Source
from reprokit.bundle.values import COMMIT, Json, Unknown
from reprokit.probes.packages import is_version
from reprokit.rerun.requirements import Pin, pins, with_digests

WHEELS = "environment/wheels"
"""The folder of the payload that holds vendored wheels."""

_EDITABLE = "editable install"

DirectoryOf = Callable[[str], Path | None]
"""Tells where a folder of the original machine is in the workspace; `None` when it is not there."""


@dataclass(frozen=True, kw_only=True, order=True)
class Editable:
    """A package that was installed from a checkout, and the folder that this is restored to."""

    name: str
    version: str
    directory: Path


@dataclass(frozen=True, kw_only=True, order=True)
class FromGit:
    """A package that was built from a commit: `transport` is how its address may be fetched from."""

    name: str
    version: str
    address: str
    transport: str
    commit: str
    subdirectory: str = ""


@dataclass(frozen=True, kw_only=True, order=True)
class Unobtainable:
    """A package that no rebuilding can give, and why."""

    name: str
    version: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class WantedEnvironment:
    """The Python of a re-run. `wheels` is the folder of those that the bundle carries, if it does.

    Without an `interpreter` none is recorded, and there is nothing to rebuild.
    """

    interpreter: Interpreter | None
    pins: tuple[Pin, ...] = ()
    editables: tuple[Editable, ...] = ()
    from_git: tuple[FromGit, ...] = ()
    unobtainable: tuple[Unobtainable, ...] = ()
    wheels: Path | None = None


def wanted(bundle: Bundle, completed: CompletedLock | None, directory_of: DirectoryOf) -> WantedEnvironment:
    """Work out what the Python of a re-run is to hold. Nothing is run, written or fetched.

    `completed` is what an index said of the packages. `directory_of` is asked for the folder of each editable install,
    which need not exist yet.

    Raises:
        InvalidRecordError: the lock holds more than pinned names.
    """
    environment = bundle.environment or Environment(learnt_from="nothing", packages=Unknown(unknown="no record"))
    found, _ = pins(bundle.read_payload(LOCK)) if bundle.has(LOCK) else ([], [])
    others = list(from_elsewhere(environment, bundle.sources, directory_of))
    return WantedEnvironment(
        interpreter=environment.interpreter,
        pins=tuple(with_digests(found, completed)),
        editables=tuple(sorted(each for each in others if isinstance(each, Editable))),
        from_git=tuple(sorted(each for each in others if isinstance(each, FromGit))),
        unobtainable=tuple(sorted(each for each in others if isinstance(each, Unobtainable))),
        wheels=_wheels(bundle),
    )


def _wheels(bundle: Bundle) -> Path | None:
    carried = any(file.path.startswith(f"{WHEELS}/") and file.path.endswith(".whl") for file in bundle.record.files)
    return bundle.path / bag.PAYLOAD / WHEELS if carried else None


def from_elsewhere(
    environment: Environment, sources: Sequence[Source], directory_of: DirectoryOf
) -> Iterator[Editable | FromGit | Unobtainable]:
    """Yield the packages that no index gives, and where else they are to be had."""
    for package in [] if isinstance(environment.packages, Unknown) else environment.packages:
        try:
            name = canonicalize_name(package.name, validate=True)
        except InvalidName:
            yield _not(package, "has no name that could be installed")
            continue
        if package.editable:
            yield _editable(package, name, sources, directory_of)
        elif package.from_system:
            yield _not(package, "belongs to the operating system")
        elif package.direct_url is not None:
            yield _direct(package, name)
        elif not is_version(package.version):
            yield _not(package, "has no version that could be pinned")


def _not(package: Package, reason: str) -> Unobtainable:
    return Unobtainable(name=package.name, version=package.version, reason=reason)


def _editable(
    package: Package, name: str, sources: Sequence[Source], directory_of: DirectoryOf
) -> Editable | Unobtainable:
    root = _folder(package.direct_url) or _checkout_of(name, sources)
    if root is None:
        return _not(package, "was editable, and where its checkout was is not recorded")
    directory = directory_of(root)
    if directory is None:
        return _not(package, f"was editable in `{root}`, which is not in the bundle")
    return Editable(name=name, version=package.version, directory=directory)


def _folder(direct_url: Json) -> str | None:
    match direct_url:
        case {"url": str(url), "dir_info": {}}:
            pass
        case _:
            return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    path = unquote(parts.path, errors="surrogateescape")
    return path if parts.scheme == "file" and parts.netloc in {"", "localhost"} and "\0" not in path else None


def _checkout_of(name: str, sources: Sequence[Source]) -> str | None:
    """Find the checkout of an old editable install (`setup.py develop`), which leaves no `direct_url.json`."""
    for source in sources:
        for use in source.used_as:
            if use.kind == _EDITABLE and use.name is not None and canonicalize_name(use.name) == name:
                return source.root
    return None


def _direct(package: Package, name: str) -> FromGit | Unobtainable:
    origin: Any = package.direct_url
    match origin:
        case {"url": str(address), "vcs_info": {"vcs": "git", "commit_id": str(commit)}}:
            subdirectory = origin.get("subdirectory") or ""
            transport = git_address.transport(address)
            if transport is None or not COMMIT.fullmatch(commit):
                return _not(package, "is from a git repository that must not be fetched from")
            if not isinstance(subdirectory, str) or not (subdirectory == "" or paths.is_safe(subdirectory)):
                return _not(package, "is from a folder outside of its git repository")
            return FromGit(
                name=name,
                version=package.version,
                address=address,
                transport=transport,
                commit=commit,
                subdirectory=subdirectory,
            )
        case {"vcs_info": {"vcs": str(system)}}:
            return _not(package, f"is from {system}, which is not fetched from")
        case {"archive_info": {}}:
            return _not(package, "is from a file or an address")
        case {"dir_info": {}}:
            return _not(package, "is from a folder")
        case _:
            return _not(package, "is from elsewhere")
