"""A Hugging Face cache, read as files: which commit a branch points to, which snapshot lies there, what was opened.

The layout: `models--org--name/refs/<branch>` holds a commit, `models--org--name/snapshots/<commit>/` holds links to
`models--org--name/blobs/<digest>`. Links are followed into such a `blobs/` and nowhere else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Literal

from reprokit.bundle.bag import open_regular
from reprokit.bundle.values import full_commit

Kind = Literal["models", "datasets"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?")
_OPENED = re.compile(
    r"(?P<cache>.*)/(?P<kind>models|datasets)--(?P<name>[^/]+)/snapshots/(?P<commit>[0-9a-f]{40})/(?P<file>.+)",
    re.DOTALL,
)
_LONGEST_REFERENCE = 256


@dataclass(frozen=True, kw_only=True)
class Caches:
    """Where a run's Hugging Face caches lie: what comes from the hub, and datasets prepared from it."""

    hub: tuple[Path, ...]
    prepared: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A file of a cached snapshot that the run opened; `repository` is the folder of the model or the dataset."""

    kind: Kind
    name: str
    commit: str
    repository: Path


def caches(environ: Mapping[str, str], home: Path, directory: Path, opened: Iterable[Opened]) -> Caches:
    """Find the caches as the libraries do, from the run's environment variables, and those it was seen to read."""

    def given(*names: str) -> Path | None:
        value = next((environ[name] for name in names if environ.get(name)), None)
        return directory / _expanded(value, environ, home) if value else None

    cache = given("XDG_CACHE_HOME") or home / ".cache"
    own = given("HF_HOME") or cache / "huggingface"
    hub = given("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") or own / "hub"
    places = [given("TRANSFORMERS_CACHE"), hub, *(each.repository.parent for each in opened)]
    return Caches(
        hub=tuple(dict.fromkeys(place for place in places if place is not None)),
        prepared=(given("HF_DATASETS_CACHE") or own / "datasets",),
    )


def opened_files(paths: Iterable[str], directory: Path) -> Iterator[Opened]:
    """Read from the paths that the run opened which snapshots they are of.

    A path that was tried and is not there tells nothing; when the whole cache is gone, the path is believed.
    """
    for path in paths:
        found = _parsed(str(directory / path))
        if found is not None and (_there(directory / path) or not _there(found.repository)):
            yield found


def of_snapshot(path: Path) -> Opened | None:
    """Tell which snapshot a path names, by its folder or a file in it; `None` when it names none."""
    return _parsed(f"{path}/.")


def is_hub_name(name: str) -> bool:
    """Tell whether a name may be one on the hub: `org/name` or `name`."""
    return _NAME.fullmatch(name) is not None and "--" not in name and ".." not in name


def repositories(places: Caches, kind: Kind, name: str) -> list[Path]:
    """Find the folders that the caches hold for a model or a dataset."""
    if not is_hub_name(name):
        return []
    folder = f"{kind}--{name.replace('/', '--')}"
    return [cache / folder for cache in places.hub if _there(cache / folder)]


def reference(repository: Path, revision: str) -> str | None:
    """Tell the commit that a branch or tag points to in a cache; `None` when the cache does not say."""
    parts = revision.split("/")
    if any(part in {"", ".", ".."} or "\0" in part for part in parts):
        return None
    try:
        with open_regular(repository.joinpath("refs", *parts)) as stream:
            written = stream.read(_LONGEST_REFERENCE)
    except OSError:
        return None
    return full_commit(written.decode("ascii", errors="replace").strip())


def snapshot(found: Iterable[Path], commit: str) -> Path | None:
    """Find the folder of a commit among the folders of a model or a dataset."""
    folders = (each / "snapshots" / commit for each in found)
    return next((each for each in folders if os.path.isdir(each)), None)  # noqa: PTH112 - it never raises


def blob(link: Path) -> Path | None:
    """Follow a link of a cache to the blob it stands for; `None` when it leads anywhere else, or to nothing."""
    target = Path(os.path.realpath(link))
    holder = target.parent
    if holder.name != "blobs" or not holder.parent.name.startswith(("models--", "datasets--")):
        return None
    return target if _there(target) else None


def _parsed(path: str) -> Opened | None:
    match = _OPENED.fullmatch(path)
    if match is None:
        return None
    kind: Kind = "models" if match["kind"] == "models" else "datasets"
    repository = Path(match["cache"] or "/") / f"{match['kind']}--{match['name']}"
    return Opened(kind=kind, name=match["name"].replace("--", "/"), commit=match["commit"], repository=repository)


def _expanded(value: str, environ: Mapping[str, str], home: Path) -> Path:
    value = Template(value).safe_substitute(environ)
    if value == "~" or value.startswith("~/"):
        return home / value[2:]
    return Path(value)


def _there(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:
        return False
