"""Datasets: files of one's own by digest, datasets of the hub by the commit that was loaded or prepared."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Literal

from reprokit.bundle.record import SubjectPart
from reprokit.bundle.results import Results
from reprokit.bundle.values import Json, Unknown, full_commit
from reprokit.probes.subject.asked import Asked, Named
from reprokit.probes.subject.files import Listing, Role, all_files, elsewhere, joined, listing
from reprokit.probes.subject.hub_cache import is_hub_name, of_snapshot, repositories, snapshot
from reprokit.probes.subject.parts import (
    Facts,
    Learnt,
    is_address,
    learnt,
    of_local,
    references,
    statements,
    unknown_because,
    without_credentials,
)
from reprokit.probes.subject.prepared_cache import Prepared, prepared_copies
from reprokit.probes.subject.revision import Statement, weigh
from reprokit.probes.subject.world import World, cache_place, local_place, opened_of, read_statements

OPENED_HERE = "opened here"

_UNPINNED: Literal["W331"] = "W331"
_NOT_SAID = Unknown(unknown="nobody says")

# What `datasets` calls its own readers of files: no names of datasets.
_READERS = frozenset(
    {
        *("arrow", "audiofolder", "csv", "eval", "generator", "hdf5", "imagefolder", "json", "lance", "niftifolder"),
        *("pandas", "parquet", "pdffolder", "sql", "text", "videofolder", "webdataset", "xml"),
    }
)
_NO_DATA = frozenset(
    {"README.md", ".gitattributes", "dataset_info.json", "dataset_infos.json", "state.json", "LICENSE"}
)
_ON_HUB = re.compile(r"hf://datasets/(?P<name>[^/@]+/[^/@]+)@(?P<revision>[0-9a-f]{40})/")


def datasets_asked(claimed: Iterable[SubjectPart], results: Results) -> list[SubjectPart]:
    """List the datasets that the results claim, and those that only a task's definition names."""
    parts = list(claimed)
    covered = {task for part in parts for task in part.tasks}
    names = {part.name for part in parts}
    for task in results.tasks:
        config = task.config if isinstance(task.config, dict) else {}
        name = config.get("dataset_path") or config.get("hf_repo")
        if task.name in covered or not isinstance(name, str) or not name or name in names:
            continue
        given = config.get("dataset_kwargs")
        extra = (
            {key: given[key] for key in ("data_files", "data_dir") if key in given} if isinstance(given, dict) else {}
        )
        if isinstance(config.get("dataset_name"), str):
            extra["dataset_name"] = config["dataset_name"]
        parts.append(SubjectPart(name=name, revision=_NOT_SAID, learnt_from="nothing", tasks=[task.name], extra=extra))
    return parts


def from_command(around: World, asked: Asked, known: Iterable[str]) -> list[tuple[SubjectPart, Named]]:
    """List the datasets that a script's flags name and that are really there: `--dataset toy` may be only a word."""
    names = set(known)
    return [
        (SubjectPart(name=named.name, revision=_NOT_SAID, learnt_from="nothing"), named)
        for named in asked.datasets
        if named.name not in names and _is_there(around, named.name)
    ]


def dataset(around: World, part: SubjectPart, named: Named | None = None) -> Learnt:
    """Learn what there is to know of a dataset."""
    reader = part.name in _READERS
    place = None if reader else local_place(around, part.name)
    if reader:
        facts = of_local(part, _own_files(around, part, around.clues.directory))
        facts = replace(facts, place=None)
    elif place is not None and of_snapshot(place) is None:
        facts = of_local(part, _local(around, part, place))
    else:
        facts = _cached(around, part, place, named)
    return learnt(around, part, facts, _UNPINNED)


def opened_here(around: World, known: Iterable[str]) -> list[Learnt]:
    """Learn of the datasets that the run opened files of, though none of the `known` names stands for them."""
    named = {each.name for name in known for each in opened_of(around, "datasets", name)}
    others = dict.fromkeys(each.name for each in around.opened if each.kind == "datasets" and each.name not in named)
    role = {"role": OPENED_HERE}
    parts = [SubjectPart(name=name, revision=_NOT_SAID, learnt_from="nothing", extra=role) for name in others]
    return [dataset(around, part) for part in parts]


def role_of(path: str) -> Role:
    """Tell by its name what a file of a dataset is for."""
    name = path.rpartition("/")[2]
    return "other" if name in _NO_DATA else "code" if name.endswith(".py") else "data"


def _is_there(around: World, name: str) -> bool:
    if local_place(around, name) is not None:
        return True
    if not is_hub_name(name):
        return False
    return bool(
        opened_of(around, "datasets", name)
        or repositories(around.caches, "datasets", name)
        or prepared_copies(around.caches.prepared, name, None)
    )


def _local(around: World, part: SubjectPart, place: Path) -> Listing:
    if not place.is_dir():
        return listing({part.name: place}, role_of, around.digester, named=True)
    if part.extra.get("data_files"):
        return _own_files(around, part, place)
    return all_files(_data_folder(part, place), role_of, around.digester, around.limits)


def _data_folder(part: SubjectPart, base: Path) -> Path:
    folder = part.extra.get("data_dir")
    return base / folder if isinstance(folder, str) else base


def _own_files(around: World, part: SubjectPart, base: Path) -> Listing:
    """List the data files that a task names, with patterns for many; or all in its data folder."""
    folder = _data_folder(part, base)
    named = list(dict.fromkeys(_names(part.extra.get("data_files"))))
    if not named:
        inside = isinstance(part.extra.get("data_dir"), str)
        return all_files(folder, role_of, around.digester, around.limits) if inside else Listing()
    addresses = Listing(files=tuple(elsewhere(without_credentials(each)) for each in named if is_address(each)))
    paths: dict[str, Path] = {}
    for name in named:
        if not is_address(name):
            paths.update(_expanded(name, folder, around.limits.files + 1))
    most = dict(islice(paths.items(), around.limits.files))
    here = listing(most, role_of, around.digester, left_out=len(paths) - len(most), named=True)
    return joined([here, addresses])


def _names(data_files: Json) -> Iterator[str]:
    """Yield every file that `data_files` names: one, a list, or a table of splits with one or a list for each."""
    for files in data_files.values() if isinstance(data_files, dict) else (data_files,):
        for name in files if isinstance(files, list | tuple) else (files,):
            if isinstance(name, str) and name:
                yield name


def _expanded(name: str, folder: Path, most: int) -> dict[str, Path]:
    """Find the files of a pattern, by their names as the pattern would spell them; what is no pattern is one file."""
    if not glob.has_magic(name) or "**" in name or "\0" in name:
        return {name: folder / name}
    found = islice(glob.iglob(name, root_dir=folder), most)  # noqa: PTH207 - a `Path` takes no absolute pattern
    return {path: folder / path for path in sorted(found)} or {name: folder / name}


def _cached(around: World, part: SubjectPart, place: Path | None, named: Named | None) -> Facts:
    """Look for a dataset of the hub in the caches, or at the snapshot's folder that was given for it."""
    at = of_snapshot(place) if place is not None else None
    name = at.name if at else part.name
    task, command = _revision_asked(part, around.clues.results), named.revision if named else None
    asked = command or task
    copies = prepared_copies(around.caches.prepared, name, _configuration(part)) if is_hub_name(name) else []
    weighed = weigh(
        [
            *read_statements(opened_of(around, "datasets", name)),
            *statements("argv", command),
            *statements("claim", at.commit if at else task),
            *(() if at else references(around, "datasets", name, asked)),
            *_prepared_statements(copies),
            *(statements("claim", part.revision) if isinstance(part.revision, str) else ()),
            *_in_addresses(part),
        ],
        _reason(around, name, asked, copies),
    )
    facts = Facts(weighed=weighed, pinned=at is not None or full_commit(asked) is not None)
    if not isinstance(weighed.revision, str):
        return facts
    folders = [*repositories(around.caches, "datasets", name), *([at.repository] if at else [])]
    made = (copy.folder for copy in copies if copy.commit == weighed.revision)
    folder = snapshot(folders, weighed.revision) or next(made, None)
    if folder is None:
        return facts
    files = all_files(folder, role_of, around.digester, around.limits)
    return replace(facts, place=cache_place(around, folder), listing=files)


def _prepared_statements(copies: Iterable[Prepared]) -> Iterator[Statement]:
    """State the commit of the prepared copies, if it is one: which of several was used does not show."""
    commits = {copy.commit for copy in copies}
    only = commits.pop() if len(commits) == 1 else None
    yield from statements("prepared cache", only)


def _reason(around: World, name: str, asked: str | None, copies: Iterable[Prepared]) -> str:
    commits = sorted({copy.commit for copy in copies if copy.commit})
    if len(commits) > 1:
        return f"copies of several revisions are prepared, and any may have been used: `{'`, `'.join(commits)}`"
    return unknown_because(around, "datasets", name, asked)


def _in_addresses(part: SubjectPart) -> Iterator[Statement]:
    for name in _names(part.extra.get("data_files")):
        match = _ON_HUB.match(name)
        if match is not None and match["name"] == part.name:
            yield Statement(source="claim", says=match["revision"])


def _configuration(part: SubjectPart) -> str | None:
    configuration = part.extra.get("dataset_name")
    return configuration if isinstance(configuration, str) and configuration else None


def _revision_asked(part: SubjectPart, results: Results) -> str | None:
    """Find the revision that the tasks ask for, wherever their definitions hold it."""
    configs = [task.config for task in results.tasks if task.name in part.tasks and isinstance(task.config, dict)]
    given = [config["dataset_kwargs"] for config in configs if isinstance(config.get("dataset_kwargs"), dict)]
    for table in (part.extra, *given, *configs):
        for key in ("revision", "hf_revision"):
            if isinstance(table.get(key), str) and table[key]:
                return str(table[key])
    return None
