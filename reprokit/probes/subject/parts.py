"""One model or dataset with all that could be learnt of it, and what a reader should know about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.record import SubjectFile, SubjectPart, SubjectText
from reprokit.bundle.values import Unknown, full_commit
from reprokit.probes.source.credential_files import REASON as HOLDS_CREDENTIALS
from reprokit.probes.subject.files import Listing
from reprokit.probes.subject.hub_cache import Kind, reference, repositories
from reprokit.probes.subject.revision import Statement, Weighed
from reprokit.probes.subject.texts import template_contradiction
from reprokit.probes.subject.world import World, changed

WHERE = "bundle.json"
MOST_NAMED = 3

LOCAL = Unknown(unknown="it lies on this machine: see the digests of its files")

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """A part as it goes into the record, with the findings about it."""

    part: SubjectPart
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What was learnt of a part: its revision, and what lies where it lies.

    `pinned` tells whether a full commit was asked for.
    """

    weighed: Weighed
    place: str | None = None
    listing: Listing = field(default_factory=Listing)
    texts: tuple[SubjectText, ...] = ()
    pinned: bool = False


def learnt(around: World, part: SubjectPart, facts: Facts, unpinned: Literal["W330", "W331"]) -> Learnt:
    """Put what was learnt into a part; `unpinned` is the code for a revision that is unknown or that may move."""
    filled = msgspec.structs.replace(
        part,
        revision=facts.weighed.revision,
        learnt_from=facts.weighed.learnt_from,
        revisions=facts.weighed.revisions,
        place=facts.place,
        files=list(facts.listing.files),
        files_left_out=facts.listing.left_out,
        texts=[*part.texts, *facts.texts],
    )
    return Learnt(part=filled, findings=tuple(_findings(around, filled, facts, unpinned)))


def of_local(part: SubjectPart, listing: Listing, texts: Iterable[SubjectText] = ()) -> Facts:
    """Say of a part that lies on this machine what identifies it: its files."""
    return Facts(
        weighed=Weighed(revision=LOCAL, learnt_from="nothing"), place=part.name, listing=listing, texts=tuple(texts)
    )


def statements(source: str, revision: str | None) -> Iterator[Statement]:
    """State what was asked for, if anything was."""
    if revision:
        yield Statement(source=source, says=revision)


def references(around: World, kind: Kind, name: str, asked: str | None) -> Iterator[Statement]:
    """State where the branch or tag that was asked for, or `main`, points to in the run's caches."""
    if full_commit(asked):
        return
    for repository in repositories(around.caches, kind, name):
        commit = reference(repository, asked or "main")
        if commit:
            yield Statement(source="cache refs", says=commit)


def unknown_because(around: World, kind: Kind, name: str, asked: str | None) -> str:
    """Say why no commit is known of a name on the hub."""
    branch = f"`{asked or 'main'}`"
    if repositories(around.caches, kind, name):
        return f"no file of it was seen to be opened, and the Hugging Face cache does not say what {branch} was"
    return f"no Hugging Face cache of the run holds it, and nobody says which commit {branch} was"


def without_credentials(address: str) -> str:
    """Shorten an address to what names a file: no user, no password, no query."""
    scheme, _, rest = address.partition("://")
    host, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def is_address(path: str) -> bool:
    """Tell an address from the path of a file."""
    return _ADDRESS.match(path) is not None


def _findings(around: World, part: SubjectPart, facts: Facts, unpinned: Literal["W330", "W331"]) -> Iterator[Finding]:
    if isinstance(part.revision, Unknown):
        if part.revision != LOCAL:
            yield finding(unpinned, WHERE, f"`{part.name}`: {part.revision.unknown}")
    elif not facts.pinned:
        yield finding(unpinned, WHERE, f"`{part.name}` was at `{part.revision}`, and nothing asked for just that")
    contradictions = [each for each in (facts.weighed.disagreement, template_contradiction(part.texts)) if each]
    if contradictions:
        yield finding("W332", WHERE, f"of `{part.name}`: {'; '.join(contradictions)}")
    later = changed(around, part.files)
    if later:
        yield finding("W333", WHERE, f"`{part.name}`: {_some(later)}")
    yield from _without_digest(part)


def _without_digest(part: SubjectPart) -> Iterator[Finding]:
    bare = [file for file in part.files if file.digest is None and file.reason != HOLDS_CREDENTIALS]
    if bare:
        yield finding("W335", WHERE, f"`{part.name}`: {_some([file.path for file in bare])}: {_reasons(bare)}")
    elif part.files_left_out:
        yield finding("W335", WHERE, f"`{part.name}`: {part.files_left_out} more files are not listed")


def _some(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:MOST_NAMED])
    return shown if len(names) <= MOST_NAMED else f"{shown} and {len(names) - MOST_NAMED} more"


def _reasons(files: list[SubjectFile]) -> str:
    return "; ".join(dict.fromkeys(file.reason or "no reason is known" for file in files))
