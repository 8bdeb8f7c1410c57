"""Identifiers: whether what the record names by a commit can still be had from where it was: code, models, datasets."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator

from reprokit.audit.asking import remotes
from reprokit.audit.asking.asking import Asking
from reprokit.audit.asking.heard import Silence
from reprokit.audit.held import Held
from reprokit.audit.policy import Policy
from reprokit.audit.statements import Fact, NotKnown, Statement
from reprokit.bundle.finding import finding
from reprokit.bundle.reading import RECORD, Bundle
from reprokit.bundle.record import Record, SubjectPart
from reprokit.bundle.source import Source
from reprokit.bundle.values import Unknown
from reprokit.errors import ReprokitError
from reprokit.reproduce.inputs.repositories import Repository, is_local, repositories
from reprokit.sources import rebuilding
from reprokit.sources.rebuilding import short

_NOTED = frozenset({"W330", "W331"})
"""What the capture says of a revision that is not known, or that nobody asked for."""


def check(held: Held, asking: Asking, policy: Policy) -> Iterator[Statement]:
    """Ask for each checkout's commit at its remotes, and for each model and dataset at its revision.

    What the capture found of revisions is told again. A bundle that cannot be read is one thing that is not known.
    """
    if held.bundle is None:
        because = "its records cannot be read" if held.here else "it is not in this copy of the archive"
        yield NotKnown(where=held.id, because=because)
        return
    yield from _checkouts(held.bundle, asking, policy)
    yield from _subject(held.bundle, asking)


def _checkouts(bundle: Bundle, asking: Asking, policy: Policy) -> Iterator[Statement]:
    summaries = bundle.record.sources
    if isinstance(summaries, Unknown):
        yield NotKnown(where=RECORD, because=f"which code ran is not recorded: {summaries.unknown}")
        return
    try:
        sources = bundle.sources
        for source in sources:
            rebuilding.refuse_malformed(source)
    except ReprokitError as error:
        yield NotKnown(where="source/", because=error.message)
        return
    roots = {source.root for source in sources}
    for summary, source in zip(summaries, sources, strict=True):
        yield from _checkout(bundle, source, summary.record, asking)
        if policy.software_heritage and source.commit is not None:
            yield from _in_heritage(source.commit, summary.record, asking)
        yield from _submodules(source, summary.record, roots)


def _checkout(bundle: Bundle, source: Source, where: str, asking: Asking) -> Iterator[Statement]:
    if source.commit is None:  # the patch holds all there is
        return
    if source.git_bundle is None or not bundle.has(source.git_bundle):
        yield _asked(bundle.record, source, source.commit, where, asking)
        return
    needed = rebuilding.prerequisites(bundle.stored(source.git_bundle))
    within = f"the commit `{short(source.commit)}` is in the bundle itself, as `{source.git_bundle}`"
    yield Fact(where=where, told=f"{within}, which builds on others" if needed else within)
    for commit in needed:
        yield _asked(bundle.record, source, commit, where, asking)


def _asked(record: Record, source: Source, commit: str, where: str, asking: Asking) -> Statement:
    """Ask the remotes of a checkout for a commit, until one has it."""
    gone: list[str] = []
    silent: list[str] = []
    for name, address in source.remotes.items():
        heard = asking.commit(address, commit)
        if isinstance(heard, Silence):
            silent.append(f"`{name}`: {heard.because}")
        elif heard.answer.there:
            return Fact(where=where, told=f"the commit `{short(commit)}` can be had from `{name}`{heard.as_of}")
        elif remotes.is_local(address) and record.run.host != platform.node():
            silent.append(f"`{name}`: `{address}` on this machine may not be that of the run's")
        else:
            gone.append(f"`{name}` ({address}){f': {heard.answer.told}' if heard.answer.told else ''}{heard.as_of}")
    if silent:
        lacking = [f"not at {each}" for each in gone]
        return NotKnown(where=where, because=f"the commit `{short(commit)}`: {'; '.join([*silent, *lacking])}")
    if gone:
        return finding("W411", where, f"`{short(commit)}` of `{source.name}`, from {'; '.join(gone)}")
    nowhere = "it was on no remote, and no git bundle was captured"
    return NotKnown(where=where, because=f"nobody can be asked for the commit `{short(commit)}`: {nowhere}")


def _in_heritage(commit: str, where: str, asking: Asking) -> Iterator[Statement]:
    heard = asking.held_by_heritage(commit)
    identifier = f"swh:1:rev:{commit}"
    if isinstance(heard, Silence):
        yield NotKnown(where=where, because=f"whether Software Heritage holds `{identifier}`: {heard.because}")
    elif heard.answer.there:
        yield Fact(where=where, told=f"Software Heritage holds `{identifier}`{heard.as_of}")
    else:
        yield finding("W413", where, f"`{identifier}`{heard.as_of}")


def _submodules(source: Source, where: str, roots: set[str]) -> Iterator[Statement]:
    """Say of submodules that have no record of their own that their remotes are not recorded."""
    bare = [
        path
        for path in sorted(source.submodules)
        if path not in source.submodules_empty and f"{source.root}/{path}" not in roots
    ]
    if bare:
        named = ", ".join(f"`{path}`" for path in bare)
        yield NotKnown(where=where, because=f"the remotes of submodules are not recorded: {named}")


def _subject(bundle: Bundle, asking: Asking) -> Iterator[Statement]:
    record = bundle.record
    noted = [each for each in record.findings if each.code in _NOTED]
    yield from noted
    for part in (*record.subject.models, *record.subject.datasets):
        if is_local(part):
            yield _own_files(part)
    try:
        found = repositories(record, bundle.environment)
    except ReprokitError as error:
        yield NotKnown(where=RECORD, because=error.message)
        return
    told = [each.message for each in noted]
    for each in found:
        if isinstance(each.revision, str):
            yield _served(each, each.revision, asking)
        elif not _is_named(each, told):
            yield NotKnown(where=_name(each), because=f"its revision is not known: {each.revision.unknown}")


def _own_files(part: SubjectPart) -> NotKnown:
    place = f" (`{part.place}`)" if part.place else ""
    because = f"it lay in files of its own{place}, which nobody else can be asked for"
    return NotKnown(where=f"`{part.name}`", because=because)


def _is_named(repository: Repository, messages: Iterable[str]) -> bool:
    return any(f"`{repository.name}`" in message for message in messages)


def _name(repository: Repository) -> str:
    return f"the {repository.kind} `{repository.name}`"


def _served(repository: Repository, revision: str, asking: Asking) -> Statement:
    heard = asking.revision(repository.kind, repository.name, revision)
    if isinstance(heard, Silence):
        return NotKnown(
            where=_name(repository), because=f"whether it is served at `{short(revision)}`: {heard.because}"
        )
    if heard.answer.there:
        return Fact(where=_name(repository), told=f"it is served at `{short(revision)}`{heard.as_of}")
    return finding("W412", RECORD, f"{_name(repository)} at `{revision}`{heard.as_of}")
