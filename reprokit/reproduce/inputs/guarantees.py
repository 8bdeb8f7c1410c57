"""What of a run's inputs nobody can promise to be the same again, and why: for the plan, and beside the verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from urllib.parse import urlsplit

from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Record, SubjectPart
from reprokit.bundle.values import Unknown
from reprokit.reproduce.inputs.preparing import addresses
from reprokit.reproduce.inputs.repositories import Repository, is_local
from reprokit.reproduce.inputs.served import is_served

_MOST_NAMED = 3


def not_guaranteed(
    record: Record, environment: Environment | None, found: Iterable[Repository], *, pinned: Collection[str] = ()
) -> list[str]:
    """Say what cannot be guaranteed of a run's inputs, a sentence each.

    Args:
        record: the run's.
        environment: what was seen of the run, if anything.
        found: the repositories that it loaded.
        pinned: the names whose commit the command of the re-run itself asks for.
    """
    every = list(found)
    return list(
        dict.fromkeys(
            [
                *_served(record),
                *_unpinned(every, pinned),
                *_several(every),
                *_addresses(record),
                *_without_digest(record),
                *_by_themselves(record, environment),
            ]
        )
    )


def _served(record: Record) -> Iterator[str]:
    for at, part in enumerate(record.subject.models):
        if not is_served(record, part, main=at == 0):
            continue
        place = f"a server at `{part.server.endpoint}`" if part.server else "a server or a provider"
        named = f"`{part.name}` is answered for by {place}"
        if isinstance(part.revision, str):
            yield f"{named}: that it is still at `{part.revision}` is for whoever runs it to say"
        else:
            yield f"{named}: which weights it has is not known, and they may be others by now"


def _unpinned(found: Iterable[Repository], pinned: Collection[str]) -> Iterator[str]:
    unknown = {each.name for each in found if isinstance(each.revision, Unknown)}
    for each in found:
        what = f"the {each.kind} `{each.name}`"
        if isinstance(each.revision, Unknown):
            yield f"{what} is whatever the hub gives now, for its revision is not known: {each.revision.unknown}"
        elif unknown - {each.name} and each.name not in pinned:
            others = _some(sorted(unknown - {each.name}))
            yield f"{what} may be read at a newer revision than recorded: the run is let to the hub, for {others}"


def _several(found: Iterable[Repository]) -> Iterator[str]:
    commits: dict[tuple[str, str], set[str]] = {}
    for each in found:
        if isinstance(each.revision, str):
            commits.setdefault((each.kind, each.name), set()).add(each.revision)
    for (kind, name), several in commits.items():
        if len(several) > 1:
            yield f"of the {kind} `{name}` several revisions were read, and which was read for what is not known"


def _addresses(record: Record) -> Iterator[str]:
    for address in addresses(record):
        yield f"data at `{address}` is read again from there, whatever it is by now"


def _without_digest(record: Record) -> Iterator[str]:
    for part in (*record.subject.models, *record.subject.datasets):
        if is_local(part):
            yield from _bare(part)
    for each in record.invocation.inputs:
        if each.digest is None and each.kind == "file" and not each.inside:
            yield f"`{each.path}` cannot be compared: its digest was not recorded"


def _bare(part: SubjectPart) -> Iterator[str]:
    bare = [file for file in part.files if file.digest is None and file.size is not None]
    if bare:
        reasons = "; ".join(dict.fromkeys(file.reason or "no reason is known" for file in bare))
        names = _some([file.path for file in bare])
        yield f"{names} of `{part.name}` can be compared only by size: {reasons}"
    if part.files_left_out:
        yield f"{part.files_left_out} more files of `{part.name}` were not listed, and cannot be compared"


def _by_themselves(record: Record, environment: Environment | None) -> Iterator[str]:
    """Name the hosts that the run connected to, but for servers of models: whatever it got there, it gets anew."""
    servers = {_host(part.server.endpoint) for part in record.subject.models if part.server}
    hosts = sorted({name.rpartition(":")[0] for name in environment.hosts} - servers) if environment else []
    if hosts:
        yield f"what the run got from {_some(hosts)}, past what is listed here, may be something else by now"


def _host(address: str) -> str:
    return urlsplit(address).hostname or ""


def _some(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown} and {len(names) - _MOST_NAMED} more"
