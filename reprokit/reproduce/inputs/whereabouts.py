"""Where the repositories of a run can be had: in a cache on this machine, or on the hub. Nothing is fetched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from reprokit.bundle.bag import sha256_of
from reprokit.bundle.record import SubjectFile
from reprokit.bundle.values import SHA256, Unknown
from reprokit.probes.subject.hub_cache import Caches, blob, caches
from reprokit.probes.subject.prepared_cache import Prepared, prepared_copies
from reprokit.reproduce.inputs.repositories import Kind, Repository

Origin: TypeAlias = Literal["cache", "hub"]

_TRUE = frozenset({"1", "on", "yes", "true"})
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
_OFFLINE_SAYS = "this machine is set to be offline"
_SMALL = 64 << 20
"""Bytes of a file that are read to plan. What is larger is compared by size, and by digest when it is put in place."""


class PlannedInput(Struct, frozen=True, kw_only=True):
    """A model or a dataset of a hub, as the plan shows it."""

    name: str
    kind: Kind
    revision: Annotated[str | Unknown, Meta(description="the full commit that a re-run gets, or why none is known")]
    comes_from: Annotated[
        Origin | Unknown,
        Meta(description="`cache`: one of this user's; `hub`: it is fetched from there; or why it is not to be had"),
    ]
    download: Annotated[int | None, Meta(description="bytes to fetch; null when that is not known")] = 0


@dataclass(frozen=True, kw_only=True)
class Whereabouts:
    """Where one repository comes from.

    `snapshot` is its folder in a cache, `copies` are those that the `datasets` library has made of it there.
    """

    repository: Repository
    comes_from: Origin | Unknown
    snapshot: Path | None = None
    copies: tuple[Path, ...] = ()


def own_caches(environ: Mapping[str, str], home: Path) -> Caches:
    """Find the caches of this user as the libraries do, from the present variables."""
    return caches(environ, home, Path.cwd(), ())


def is_offline(environ: Mapping[str, str]) -> bool:
    """Tell whether the present variables forbid to ask the hub."""
    return any(environ.get(name, "").lower() in _TRUE for name in _OFFLINE)


def locate(found: Iterable[Repository], places: Caches, *, offline: bool) -> list[Whereabouts]:
    """Find out where each repository comes from: a cache that has all that the record lists of it, else the hub.

    Args:
        found: the repositories.
        places: the caches of this user.
        offline: the hub must not be asked.
    """
    return [_located(each, places, offline=offline) for each in found]


def planned(each: Whereabouts) -> PlannedInput:
    """Sum up for the plan."""
    repository = each.repository
    return PlannedInput(
        name=repository.name,
        kind=repository.kind,
        revision=repository.revision,
        comes_from=each.comes_from,
        download=_octets(repository) if each.comes_from == "hub" else 0,
    )


def missing(found: Iterable[Whereabouts]) -> list[str]:
    """Say what is not to be had, a line each."""
    return [
        f"the {each.repository.kind} `{each.repository.name}`: {each.comes_from.unknown}"
        for each in found
        if isinstance(each.comes_from, Unknown)
    ]


def snapshot_file(folder: Path, path: str) -> Path | None:
    """Find a file of a cached snapshot: the blob that its link leads to, or itself; `None` when it is not there."""
    file = folder / path
    if file.is_symlink():
        return blob(file)
    return file if file.is_file() and file.resolve() == folder.resolve() / path else None


def _located(repository: Repository, places: Caches, *, offline: bool) -> Whereabouts:
    if isinstance(repository.revision, Unknown):
        reason = Unknown(unknown=f"{_OFFLINE_SAYS}, and its revision is not known: {repository.revision.unknown}")
        return Whereabouts(repository=repository, comes_from=reason if offline else "hub")
    folders = [place / repository.folder / "snapshots" / repository.revision for place in places.hub]
    there = [folder for folder in folders if folder.is_dir()]
    problems = [_problem(folder, repository.files) for folder in there]
    whole = next((folder for folder, problem in zip(there, problems, strict=True) if problem is None), None)
    # Without a list nobody knows whether a cache holds all of it: the hub does.
    if whole is not None and (repository.files or offline):
        return Whereabouts(repository=repository, comes_from="cache", snapshot=whole)
    copies = tuple(_copies(repository, places.prepared, offline=offline))
    if copies:
        return Whereabouts(repository=repository, comes_from="cache", copies=copies)
    reason = Unknown(unknown=f"{_OFFLINE_SAYS}, and {_lacking(repository, problems)}")
    return Whereabouts(repository=repository, comes_from=reason if offline else "hub")


def _lacking(repository: Repository, problems: Sequence[str | None]) -> str:
    told = next((problem for problem in problems if problem), None)
    return f"in its cache {told}" if told else f"no cache holds it at `{repository.revision}`"


def _problem(folder: Path, files: Iterable[SubjectFile]) -> str | None:
    """Say which file of a folder is missing or other than recorded; `None` when there is none."""
    for each in files:
        try:
            file = snapshot_file(folder, each.path)
            if file is None:
                return f"`{each.path}` is missing"
            if not _same(file, each):
                return f"`{each.path}` is another than the run read"
        except OSError as error:
            return f"`{each.path}` cannot be read: {error.strerror or 'no reason given'}"
    return None


def _same(file: Path, recorded: SubjectFile) -> bool:
    size = file.stat().st_size
    if recorded.size is not None and size != recorded.size:
        return False
    if recorded.digest is None:
        return True
    if file.parent.name == "blobs" and SHA256.fullmatch(file.name):
        return recorded.digest == f"sha256:{file.name}"
    return size > _SMALL or recorded.digest == f"sha256:{sha256_of(file)}"


def _copies(repository: Repository, places: Iterable[Path], *, offline: bool) -> Iterator[Path]:
    """Find what the `datasets` library prepared of a dataset: what the run had of it, or offline whatever there is."""
    if repository.kind != "dataset":
        return
    here = [copy for copy in prepared_copies(places, repository.name, None) if copy.commit == repository.revision]
    recorded = {(each.configuration, each.version): each.files for each in repository.prepared}
    equal = {
        _named(copy): copy.folder
        for copy in here
        if _named(copy) in recorded and _problem(copy.folder, recorded[_named(copy)]) is None
    }
    if recorded and len(equal) == len(recorded):
        yield from equal.values()
    elif offline and not recorded:
        wanted = {each.configuration for each in repository.loadings if each.configuration}
        yield from (copy.folder for copy in here if not wanted or _is_of(_named(copy)[0], wanted))


def _is_of(folder: str, configurations: Iterable[str]) -> bool:
    """Tell whether a folder holds one of these configurations; some are followed by a digest of their arguments."""
    return any(folder == each or folder.startswith(f"{each}-") for each in configurations)


def _named(copy: Prepared) -> tuple[str, str]:
    return copy.folder.parent.parent.name, copy.folder.parent.name


def _octets(repository: Repository) -> int | None:
    """Sum the sizes of what is fetched, in bytes; `None` when nobody knows."""
    sizes = [file.size for file in repository.files]
    if not repository.all_listed or isinstance(repository.revision, Unknown):
        return None
    return None if None in sizes else sum(size for size in sizes if size is not None)
