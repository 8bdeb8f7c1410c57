"""Labels that people give to bundles after the capture: tags, a name, a note.

What was given at the capture stands in the bundle, which is never written again. What is given or taken away later is
an event of the ledger. The labels that count are the first, changed by the second in the order of time.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reprokit import clock
from reprokit.archive import ledger, notes
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.naming import UNDATED
from reprokit.bundle.writing import Label
from reprokit.errors import InvalidRecordError, UsageError

TAGGED = "tagged"
UNTAGGED = "untagged"
NAMED = "named"
NOTED = "noted"
KINDS = (TAGGED, UNTAGGED, NAMED, NOTED)

_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=@-]{0,63}")
_LATEST = re.compile(r"latest(~.*)?")
_ID = re.compile(r"[0-9]{1,8}|[0-9]{8}T([0-9]{0,6}|[0-9]{6}Z(-.*)?)")
_IDENTITY = re.compile(r"(sha256:.*|[0-9a-f]{4,64})")
_LONGEST_NAME = 200
_LONGEST_NOTE = 2000
_SHOWN = 60
_ALIKE = "choose one that cannot be mistaken for another reference"


@dataclass(frozen=True, kw_only=True)
class Change:
    """What is to become of a bundle's labels. An empty name or note takes it away, `None` leaves it."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    name: str | None = None
    note: str | None = None


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What became of them: the labels now, how many events that took, and why those are not committed, if so."""

    label: Label
    events: int
    uncommitted: str | None = None


def _meaning(text: str) -> str | None:
    """Say what else a reference of this spelling would mean, if anything."""
    if _LATEST.fullmatch(text):
        return "it means the latest bundle"
    if _ID.fullmatch(text) or UNDATED.startswith(text) or text.startswith(f"{UNDATED}-"):
        return "a bundle's id may begin like this"
    if _IDENTITY.fullmatch(text):
        return "a bundle's identity may begin like this"
    return "it names a file" if text.endswith(".dvc") else None


def fault(tag: str) -> str | None:
    """Say why a text cannot be a tag; `None` when it can: then it is no option, no path, no id and not `latest`."""
    if _TAG.fullmatch(tag) is None:
        return "a tag is up to 64 letters, digits and `_ . + = @ -`, and begins with a letter, a digit or `_`"
    return _meaning(tag)


def require_tag(tag: str) -> str:
    """Give a tag back.

    Raises:
        UsageError: it cannot be one.
    """
    if (why := fault(tag)) is not None:
        raise UsageError(f"`{tag[:_SHOWN]}` cannot be a tag: {why}", hint=_ALIKE)
    return tag


def name_fault(name: str) -> str | None:
    """Say why a text on one line cannot be a name; `None` when it can."""
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        return f"a name is up to {_LONGEST_NAME} printable characters"
    return "it could be an option" if name.startswith("-") else _meaning(name)


def _require_name(text: str) -> str:
    name = " ".join(text.split())
    if name and (why := name_fault(name)) is not None:
        raise UsageError(f"`{name[:_SHOWN]}` cannot be a name: {why}", hint=_ALIKE)
    return name


def _require_note(text: str) -> str:
    note = " ".join(text.split())
    if len(note) > _LONGEST_NOTE:
        raise UsageError(f"a note is up to {_LONGEST_NOTE} characters, this one has {len(note)}", hint="shorten it")
    return note


def _said(event: Event) -> str | None:
    """Give what an event says, "" where it takes a name or note away; `None` when it says nothing that can be."""
    key = {TAGGED: "tag", UNTAGGED: "tag", NAMED: "name", NOTED: "note"}[event.event]
    if key not in event.detail:
        return None
    value = event.detail[key]
    match event.event, value:
        case ("tagged", str()):
            return value if fault(value) is None else None
        case ("untagged", str()):
            return value or None
        case ("named" | "noted", None):
            return ""
        case ("named", str()):
            return value if name_fault(value) is None else None
        case ("noted", str()):
            return value if 0 < len(value) <= _LONGEST_NOTE else None
        case _:
            return None


def fold(given: Label, events: Iterable[Event]) -> Label:
    """Apply events of one bundle, oldest first, to the labels of its capture. What says nothing is passed over."""
    tags, name, note = set(given.tags), given.name, given.note
    for event in events:
        said = _said(event)
        if said is None:
            continue
        match event.event:
            case "tagged":
                tags.add(said)
            case "untagged":
                tags.discard(said)
            case "named":
                name = said or None
            case _:
                note = said or None
    return Label(name=name, tags=tuple(sorted(tags)), note=note)


def check(archive: Archive) -> Iterator[tuple[str, Finding]]:
    """Yield a finding for each event whose label nobody can have given, with the bundle it is about.

    Batches that cannot be read are left to `ledger.check`.
    """
    for path in ledger.batches(archive, KINDS):
        try:
            events = ledger.read(path)
        except InvalidRecordError:
            continue
        for event in events:
            if event.event in KINDS and _said(event) is None:
                where = str(archive.relative(path))
                yield event.bundle, finding("W358", where, f"{event.event}: {str(event.detail)[:_SHOWN]}")


def write(
    archive: Archive, bundle_id: str, identity: str, wished: Change, *, given: Label, events: Sequence[Event]
) -> Changed:
    """Append to the ledger what a change makes of the labels of a bundle, and commit it.

    Args:
        archive: where.
        bundle_id: which.
        identity: of that bundle.
        wished: the change.
        given: the labels of its capture.
        events: those of its labels so far, oldest first.

    Raises:
        UsageError: a label cannot be one, a tag to remove is not there, or the archive cannot be written.
    """
    before = fold(given, events)
    news = _news(before, wished)
    if not news:
        return Changed(label=before, events=0)
    moment = clock.text(_next_moment(events))
    written = [
        Event(event=kind, time=moment, bundle=bundle_id, identity=identity, detail={key: value})
        for kind, key, value in news
    ]
    try:
        uncommitted = notes.note_all(archive, written, f"label {bundle_id}")
    except OSError as error:
        raise UsageError(
            f"the archive `{archive.root}` cannot be written: {error.strerror or error}",
            hint="mend its permissions or make room, or use a copy of it that you may write",
        ) from error
    return Changed(label=fold(before, written), events=len(written), uncommitted=uncommitted)


def _news(before: Label, wished: Change) -> list[tuple[str, str, str | None]]:
    """Tell what a change comes to, as (kind of event, key, value)."""
    tags = {require_tag(tag) for tag in wished.add}
    if both := sorted(tags & set(wished.remove)):
        raise UsageError(f"`{both[0]}` is both to be given and to be removed", hint="name it once")
    if absent := sorted(set(wished.remove) - set(before.tags)):
        there = ", ".join(f"`{tag}`" for tag in before.tags)
        raise UsageError(
            f"it has no tag `{absent[0][:_SHOWN]}`", hint=f"its tags are {there}" if there else "it has no tags at all"
        )
    news: list[tuple[str, str, str | None]] = [(TAGGED, "tag", tag) for tag in sorted(tags - set(before.tags))]
    news += [(UNTAGGED, "tag", tag) for tag in sorted(set(wished.remove))]
    if wished.name is not None and (name := _require_name(wished.name)) != (before.name or ""):
        news.append((NAMED, "name", name or None))
    if wished.note is not None and (note := _require_note(wished.note)) != (before.note or ""):
        news.append((NOTED, "note", note or None))
    return news


def _next_moment(events: Sequence[Event]) -> dt.datetime:
    """Tell the time, but never one before what is to be changed: another machine's clock may run ahead of ours."""
    now = clock.now()
    return max([now, *(clock.parse(event.time) + dt.timedelta(microseconds=1) for event in events)])
