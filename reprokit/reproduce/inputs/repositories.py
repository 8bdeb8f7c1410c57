"""Which repositories of a hub a run loaded, at which commits, and by which names it asked for them.

What a record says is hostile: a name must be one that the hub gives, a revision a full commit, a branch and a file must
stay within the folder that they are put in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Record, SubjectFile, SubjectPart
from reprokit.bundle.values import OBJECT_NAME, Json, Unknown
from reprokit.errors import InvalidRecordError
from reprokit.probes.source.credential_files import REASON as HOLDS_CREDENTIALS
from reprokit.probes.subject.hub_cache import Opened, is_hub_name, of_snapshot
from reprokit.probes.subject.parts import LOCAL
from reprokit.reproduce.inputs.served import is_served, kind_of_model

Kind: TypeAlias = Literal["model", "dataset"]

CACHE = "cache:"
MAIN = "main"

_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+/@=-]{0,249}")
_SNAPSHOT = re.compile(r"cache:(?P<kind>model|dataset)s--(?P<name>[^/]+)/snapshots/(?P<commit>[0-9a-f]+)")
_PREPARED = re.compile(r"cache:[^/]+/(?P<configuration>[^/]+)/(?P<version>[^/]+)/[^/]+")
_HERE = ("127.", "localhost:", "[::1]:", "::1:")
BUILDERS = frozenset({
    "arrow", "audiofolder", "cache", "csv", "eval", "generator", "hdf5", "imagefolder", "json", "lance", "niftifolder",
    "pandas", "parquet", "pdffolder", "spark", "sql", "text", "videofolder", "webdataset", "xml",
})  # fmt: skip
"""What `datasets` calls its ways to read files of one's own."""
_ASKED_BY = ("argv", "claim")
_OWN_PROGRAMS = frozenset({"script", "python"})
_LONGEST_NAME = 96


class Loading(Struct, frozen=True, kw_only=True):
    """How a task asked for a dataset: which configuration, and what else it told `load_dataset`."""

    configuration: str | None = None
    arguments: dict[str, Json] = {}


class PreparedCopy(Struct, frozen=True, kw_only=True):
    """A dataset as the `datasets` library had prepared it: its configuration and version, and the files of the copy."""

    configuration: str
    version: str
    files: tuple[SubjectFile, ...] = ()


class Repository(Struct, frozen=True, kw_only=True):
    """A model, an adapter, a tokenizer or a dataset of a hub that took part in a run.

    `branches` are the branches and tags by which the run asked for it. `files` are those of its snapshot that the run
    had, all of them when `all_listed`; `prepared` are the copies that the `datasets` library had made of it.
    """

    kind: Kind
    name: str
    revision: str | Unknown
    branches: tuple[str, ...] = (MAIN,)
    files: tuple[SubjectFile, ...] = ()
    all_listed: bool = False
    prepared: tuple[PreparedCopy, ...] = ()
    loadings: tuple[Loading, ...] = ()
    tasks: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """What a cache of the hub calls its folder."""
        return f"{self.kind}s--{self.name.replace('/', '--')}"


def repositories(record: Record, environment: Environment | None) -> list[Repository]:
    """List what a run loaded from a hub, each repository once for each commit.

    A model that a server answered for is not among them, and neither is what lay in files of one's own, nor a model of
    unknown revision when the run was watched, opened nothing of it in a cache, and asked nobody for it.

    Raises:
        InvalidRecordError: the record lists a file outside of its repository.
    """
    found: dict[tuple[Kind, str, str], Repository] = {}
    for each in _of_subject(record):
        if each.kind == "model" and isinstance(each.revision, Unknown) and _met_no_hub(each, environment):
            continue
        key = each.kind, each.name, each.revision if isinstance(each.revision, str) else ""
        found[key] = _joined(found[key], each) if key in found else each
    named = {(kind, name.lower()) for kind, name, _ in found}
    return [*found.values(), *(each for each in _opened(environment) if (each.kind, each.name.lower()) not in named)]


def _met_no_hub(repository: Repository, environment: Environment | None) -> bool:
    """Tell whether a run was seen to load nothing of a repository: its name is one that somebody made up."""
    if environment is None or environment.learnt_from != "probe":
        return False
    asked = [host for host in (*environment.hosts, *environment.lookups) if not host.startswith(_HERE)]
    return not asked and not any(f"/{repository.folder}/" in path for path in environment.loaded_from_cache)


def pins(found: Iterable[Repository]) -> dict[str, str]:
    """Map each name to the commit that was loaded; a name of which several were loaded is left out."""
    commits: dict[str, set[str]] = {}
    for each in found:
        if isinstance(each.revision, str):
            commits.setdefault(each.name, set()).add(each.revision)
    return {name: next(iter(several)) for name, several in commits.items() if len(several) == 1}


def is_commit(revision: object) -> bool:
    """Tell a full commit from a branch, a tag and everything else."""
    return isinstance(revision, str) and OBJECT_NAME.fullmatch(revision) is not None


def is_local(part: SubjectPart) -> bool:
    """Tell a part that lay in files of one's own, as against a hub's."""
    if part.place is not None:
        return not part.place.startswith(CACHE)
    return part.revision == LOCAL or bool(part.files)


def _of_subject(record: Record) -> Iterator[Repository]:
    own_program = record.harness.name in _OWN_PROGRAMS
    for at, part in enumerate(record.subject.models):
        if not is_served(record, part, main=at == 0):
            yield from _repository("model", part, vague=own_program or part.name == kind_of_model(record, part))
    for part in record.subject.datasets:
        yield from _repository("dataset", part, vague=own_program)


def _repository(kind: Kind, part: SubjectPart, *, vague: bool) -> Iterator[Repository]:
    """Read one part; nothing, when it is none of a hub's. A `vague` name counts only when it looks like a hub's."""
    at = _SNAPSHOT.fullmatch(part.place or "")
    name = part.name if is_name(part.name) else at["name"].replace("--", "/") if at else ""
    known = is_commit(part.revision)
    if kind == "dataset" and name in BUILDERS:
        return
    if not is_name(name) or is_local(part) or (vague and not known and "/" not in name):
        return
    copy = _PREPARED.fullmatch(part.place or "") if at is None and kind == "dataset" else None
    files = tuple(_within(part.files))
    yield Repository(
        kind=kind,
        name=name,
        revision=part.revision if known else _unknown(part),
        branches=_branches(part),
        files=files if at else (),
        all_listed=at is not None and bool(files) and not part.files_left_out,
        prepared=(_prepared(copy, files),) if copy else (),
        loadings=(_loading(part),) if kind == "dataset" else (),
        tasks=tuple(part.tasks),
    )


def _prepared(place: re.Match[str], files: tuple[SubjectFile, ...]) -> PreparedCopy:
    kept = tuple(file for file in files if not is_derived(file.path))
    return PreparedCopy(configuration=place["configuration"], version=place["version"], files=kept)


def is_derived(path: str) -> bool:
    """Tell what a run left in a prepared copy, which is no part of the dataset: results of `map`, and locks."""
    name = path.rpartition("/")[2]
    return name.endswith(".lock") or (name.startswith("cache-") and name.endswith(".arrow"))


def _opened(environment: Environment | None) -> Iterator[Repository]:
    """List what the run was seen to open files of, whether or not anybody named it."""
    commits: dict[tuple[Kind, str], set[str]] = {}
    for path in environment.loaded_from_cache if environment else ():
        opened = of_named_snapshot(path)
        if opened is not None:
            kind: Kind = "model" if opened.kind == "models" else "dataset"
            commits.setdefault((kind, opened.name), set()).add(opened.commit)
    for (kind, name), several in sorted(commits.items()):
        unknown = Unknown(unknown=f"the run opened files of several: `{'`, `'.join(sorted(several))}`")
        yield Repository(kind=kind, name=name, revision=several.pop() if len(several) == 1 else unknown)


def of_named_snapshot(path: str) -> Opened | None:
    """Tell which snapshot of a hub cache a path of the record names, as the folder or as a file in it."""
    opened = None if "\0" in path else of_snapshot(Path(path))
    return opened if opened is not None and is_name(opened.name) else None


def is_name(name: str) -> bool:
    """Tell whether a name may be one on the hub, so that it names one folder of a cache and nothing else."""
    return len(name) <= _LONGEST_NAME and is_hub_name(name) and not name.endswith((".", "-", ".git"))


def _joined(one: Repository, other: Repository) -> Repository:
    """Bring together what two parts of a record say of one repository."""
    files = {file.path: file for file in (*other.files, *one.files)}
    loadings = (*one.loadings, *(each for each in other.loadings if each not in one.loadings))
    listed = [each.all_listed for each in (one, other) if each.files]
    return replace(
        one,
        branches=tuple(dict.fromkeys((*one.branches, *other.branches))),
        files=tuple(files[path] for path in sorted(files)),
        all_listed=bool(listed) and all(listed),
        prepared=(*one.prepared, *(each for each in other.prepared if each not in one.prepared)),
        loadings=loadings,
        tasks=tuple(dict.fromkeys((*one.tasks, *other.tasks))),
    )


def _within(files: Iterable[SubjectFile]) -> Iterator[SubjectFile]:
    for file in files:
        if not is_within(file.path):
            raise InvalidRecordError(f"the record lists the file `{file.path}`, outside of its folder")
        if file.size is not None or file.reason == HOLDS_CREDENTIALS:  # else it was only a name
            yield file


def is_within(path: str) -> bool:
    """Tell whether a relative POSIX path stays below the folder that it starts from."""
    return not set(path) & {"\0", "\\"} and all(part not in {"", ".", ".."} for part in path.split("/"))


def _unknown(part: SubjectPart) -> Unknown:
    if isinstance(part.revision, Unknown):
        return part.revision
    return Unknown(unknown=f"`{part.revision}` is no full commit, and can move")


def _branches(part: SubjectPart) -> tuple[str, ...]:
    """List the branches and tags by which a run asked for a repository; the hub's default when it named none."""
    asked = [name for source in _ASKED_BY for name in part.revisions.get(source, ())]
    named = [name for name in asked if not is_commit(name) and _BRANCH.fullmatch(name) and is_within(name)]
    return tuple(dict.fromkeys(named)) or (MAIN,)


def _loading(part: SubjectPart) -> Loading:
    configuration = part.extra.get("dataset_name")
    return Loading(
        configuration=configuration if isinstance(configuration, str) and configuration else None,
        arguments={key: part.extra[key] for key in ("data_files", "data_dir") if part.extra.get(key)},
    )
