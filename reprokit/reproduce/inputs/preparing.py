"""The Hugging Face folder of a workspace: caches that hold the recorded revisions, and no others.

With it, `load_dataset("org/name")` and `from_pretrained("org/name")` get what the run got, though they name no
revision.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Table
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reprokit.bundle.record import Record
from reprokit.bundle.values import Unknown
from reprokit.errors import InputMissingError
from reprokit.probes.subject.parts import is_address
from reprokit.reproduce.inputs.asking_python import ask, needed
from reprokit.reproduce.inputs.fetching import fetch
from reprokit.reproduce.inputs.laying_out import lay_out_copy, lay_out_snapshot
from reprokit.reproduce.inputs.repositories import Loading, Repository, of_named_snapshot
from reprokit.reproduce.inputs.whereabouts import Whereabouts

FOLDER = "huggingface"

_FETCHED = "fetched"
_READ = "read"
_SCRATCH = "scratch"


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What prepares inputs: the Python that the run will have, uv, and the user's variables."""

    python: Path | None
    uv: Path | None
    environ: Table[str, str]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A prepared Hugging Face folder. `online` says why the run must be let to the hub; empty when it need not be."""

    folder: Path
    online: tuple[str, ...] = ()


def prepare(found: Iterable[Whereabouts], workspace: Path, tools: Tools) -> Prepared:
    """Put every repository whose revision is known into the workspace, from this user's caches or from the hub.

    Foreign code of the rebuilt environment runs here: only after consent.

    Args:
        found: where each comes from.
        workspace: its root; its `huggingface` folder is made here.
        tools: what to do it with.

    Raises:
        InputMissingError: one is not to be had, or is not what the run read.
        RemoteError: the hub does not answer.
    """
    folder = workspace / FOLDER
    for name in ("hub", "datasets"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    online: list[str] = []
    try:
        for each in found:
            online += _prepare(each, folder, tools)
    finally:
        for name in (_FETCHED, _SCRATCH):
            shutil.rmtree(folder / name, ignore_errors=True)
    return Prepared(folder=folder, online=tuple(online))


def variables(prepared: Prepared, found: Iterable[Whereabouts], record: Record) -> dict[str, str]:
    """Give the variables that lead a run to its prepared folder, to be set over all others.

    It is kept off the hub when nothing speaks against it: every repository that it loaded is prepared, and it read no
    data from an address.
    """
    folder = prepared.folder
    own = {
        "HF_HOME": str(folder),
        "HF_HUB_CACHE": str(folder / "hub"),
        "HUGGINGFACE_HUB_CACHE": str(folder / "hub"),
        "HF_DATASETS_CACHE": str(folder / "datasets"),
    }
    if prepared.online or addresses(record) or not list(found):
        return own
    return own | dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"), "1")


def moved_snapshots(record: Record) -> dict[str, PurePosixPath]:
    """Map the cached repositories that the command line names by their folder to those in the workspace."""
    named = (of_named_snapshot(each.path) for each in record.invocation.inputs)
    found = {each.repository: f"{each.kind}--{each.name.replace('/', '--')}" for each in named if each is not None}
    return {str(repository): PurePosixPath(FOLDER, "hub", folder) for repository, folder in found.items()}


def addresses(record: Record) -> list[str]:
    """List the data that a run read from addresses, which no cache stands for."""
    parts = (*record.subject.models, *record.subject.datasets)
    return list(dict.fromkeys(file.path for part in parts for file in part.files if is_address(file.path)))


def _prepare(each: Whereabouts, folder: Path, tools: Tools) -> Iterator[str]:
    """Prepare one repository; yields why the run must be let to the hub for it."""
    repository = each.repository
    if isinstance(each.comes_from, Unknown):
        raise InputMissingError(f"the {repository.kind} `{repository.name}`: {each.comes_from.unknown}")
    if isinstance(repository.revision, Unknown):
        yield f"the revision of `{repository.name}` is not known: {repository.revision.unknown}"
        return
    for copy in each.copies:
        lay_out_copy(repository, copy, folder / "datasets")
    if each.copies:
        return
    commit = repository.revision
    source = each.snapshot or fetch(
        repository, commit, folder / _FETCHED, python=tools.python, uv=tools.uv, environ=tools.environ
    )
    snapshot = lay_out_snapshot(repository, commit, source, folder / "hub")
    if repository.kind == "dataset":
        loadings = repository.loadings or (Loading(),)
        for number, loading in enumerate(loadings, start=1):
            place = folder / _READ / repository.folder / commit / str(number)
            yield from _build(repository, loading, snapshot, place, tools)


def _build(repository: Repository, loading: Loading, snapshot: Path, place: Path, tools: Tools) -> Iterator[str]:
    """Make the copy that `datasets` looks for when it is offline; yields why there is none."""
    if tools.python is None:
        yield f"no Python is known here that could prepare `{repository.name}` for `datasets`"
        return
    folder = snapshot.parents[3]
    question = {
        "snapshot": str(snapshot),
        "folder": str(place),
        "name": repository.name,
        "revision": snapshot.name,
        "configuration": loading.configuration,
        "arguments": loading.arguments,
        "scratch": str(folder / _SCRATCH),
        "cache": str(folder / "datasets"),
    }
    own = {"HOME": str(folder), "HF_HOME": str(folder), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    answer = ask([str(tools.python)], "building", question, environ=needed(tools.environ) | own, directory=folder)
    if answer is not None and answer.error:
        yield f"`datasets` cannot prepare `{repository.name}` from its files: {answer.reason}"
