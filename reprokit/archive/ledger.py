"""The ledger: what happened to bundles after they were sealed, append-only.

A batch of events is one file, `ledger/<yyyy-mm>/<UTC>-<event>-<8 hex of its content>.jsonl`, named for its newest
event, so that clones merge without conflict and writing the same batch twice is writing it once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from reprokit import clock
from reprokit.archive import durable, months, small_file
from reprokit.archive.layout import Archive
from reprokit.bundle import canonical
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.values import Digest, Json, Time
from reprokit.errors import InvalidRecordError

CAPTURED = "captured"
_SUFFIX = ".jsonl"
_NAME = re.compile(r"(?P<second>[0-9]{8}T[0-9]{6}Z)-(?P<kind>[a-z_]+)-(?P<digits>[0-9a-f]{8})\.jsonl")
_DIGITS = 8
_LARGEST = 64 << 20
_RESTORE = "restore it: `git checkout` in the archive"


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened to one bundle."""

    event: Annotated[str, Meta(pattern="^[a-z_]+$", examples=["captured"])]
    time: Time
    bundle: Annotated[str, Meta(description="bundle id")]
    identity: Annotated[Digest, Meta(description="identity of the bundle")]
    detail: Annotated[dict[str, Json], Meta(description="what else there is to say, by kind of event")] = {}


def _moment(event: Event) -> tuple[str, str]:
    # Fractions of zero are not written, and `Z` sorts behind `.`: compare what was meant.
    return clock.parse(event.time).isoformat(timespec="microseconds"), event.bundle


def encode(events: Iterable[Event]) -> bytes:
    """Write a batch in its one spelling: oldest first, a line each."""
    return b"".join(canonical.line(event) + b"\n" for event in sorted(events, key=_moment))


def place(archive: Archive, events: Sequence[Event]) -> Path:
    """Tell where a batch is kept.

    Raises:
        ValueError: there is no event in it, or they are of several kinds.
    """
    (kind,) = {event.event for event in events}
    newest = clock.parse(max(events, key=_moment).time)
    digits = hashlib.sha256(encode(events)).hexdigest()[:_DIGITS]
    return archive.ledger / f"{newest:%Y-%m}" / f"{clock.compact(newest)}-{kind}-{digits}{_SUFFIX}"


def append(archive: Archive, events: Sequence[Event]) -> Path:
    """Write a batch of events of one kind; returns its file, which is yet to be committed.

    Raises:
        ValueError: there is no event in it, or they are of several kinds.
        OSError: the archive cannot be written.
    """
    path = place(archive, events)
    durable.write(path, encode(events), archive=archive)
    return path


def read(path: Path) -> list[Event]:
    """Read one batch.

    Raises:
        InvalidRecordError: a line is no event.
    """
    try:
        data = small_file.read(path, most=_LARGEST)
        found = [canonical.decode(line, Event) for line in data.splitlines()]
        for event in found:
            clock.parse(event.time)  # of the form of a time, it may yet be none
    except OSError as error:
        raise InvalidRecordError(f"`{path}` cannot be read: {error.strerror or error}", hint=_RESTORE) from error
    except ValueError as error:  # of which a `msgspec.DecodeError` is one
        raise InvalidRecordError(f"`{path}` cannot be read: {error}", hint=_RESTORE) from error
    return found


def batches(archive: Archive, kinds: Iterable[str] | None = None) -> list[Path]:
    """List the files of some kinds of events, or of all, newest first; nothing in them is read."""
    wanted = None if kinds is None else frozenset(kinds)
    found = [Path(entry.path) for entry in months.inside(archive.ledger) if _is_batch(entry.name, wanted)]
    return sorted(found, key=lambda path: path.name, reverse=True)


def _is_batch(name: str, wanted: frozenset[str] | None) -> bool:
    match = _NAME.fullmatch(name)
    return match is not None and (wanted is None or match["kind"] in wanted)


def events(archive: Archive, kinds: Iterable[str] | None = None) -> Iterator[Event]:
    """Yield all events, or those of some kinds, oldest first; of one moment, in the order of their files' names.

    Raises:
        InvalidRecordError: a line is no event.
    """
    yield from in_order(event for path in reversed(batches(archive, kinds)) for event in read(path))


def in_order(found: Iterable[Event]) -> list[Event]:
    """Sort events by time and bundle; those that are equal in both stay in their order."""
    return sorted(found, key=_moment)


def newest(archive: Archive) -> str | None:
    """Tell the second of the newest event, as file names hold it (`20261123T031547Z`); `None` when there is none."""
    found = batches(archive)
    return found[0].name.partition("-")[0] if found else None


def check(archive: Archive) -> Iterator[Finding]:
    """Yield a finding for each batch whose bytes are not those it is named for, and for whatever else lies there."""
    for month in months.listed(archive.ledger):
        if month.name == ".gitattributes":
            continue
        inside = months.listed(month.path) if month.is_dir(follow_symlinks=False) else [month]
        for path in (Path(entry.path) for entry in inside):
            if (wrong := _damage(path)) is not None:
                yield finding("E116", str(archive.relative(path)), wrong)


def _damage(path: Path) -> str | None:
    match = _NAME.fullmatch(path.name)
    if match is None:
        return "it is no batch of events"
    try:
        data = small_file.read(path, most=_LARGEST)
        found = read(path)
    except OSError as error:
        return error.strerror or str(error)
    except InvalidRecordError as error:
        return error.message
    if hashlib.sha256(data).hexdigest()[:_DIGITS] != match["digits"]:
        return "its bytes are not those it is named for"
    return None if {event.event for event in found} == {match["kind"]} else "it holds events of another kind"


def captures(archive: Archive) -> Iterator[Event]:
    """Yield the captures, newest first, reading no further back than is asked for.

    Raises:
        InvalidRecordError: a line is no event.
    """
    held: list[Event] = []
    for path in batches(archive, [CAPTURED]):
        # A batch is named for the second of its newest event: no older batch holds anything newer.
        second = path.name.partition("-")[0]
        newer = [event for event in held if clock.compact(clock.parse(event.time)) > second]
        yield from sorted(newer, key=_moment, reverse=True)
        held = [event for event in held if event not in newer] + read(path)
    yield from sorted(held, key=_moment, reverse=True)
