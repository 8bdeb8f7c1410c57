"""The ledger: what happened to bundles after they were sealed, append-only.

A batch of events is one file, `ledger/<yyyy-mm>/<UTC>-<event>-<8 hex of its content>.jsonl`, named for its newest
event, so that clones merge without conflict and writing the same batch twice is writing it once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from reprokit import clock
from reprokit.archive import durable
from reprokit.archive.layout import Archive
from reprokit.bundle import canonical
from reprokit.bundle.values import Digest, Json, Time
from reprokit.errors import InvalidRecordError

CAPTURED = "captured"
_SUFFIX = ".jsonl"


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
    digits = hashlib.sha256(encode(events)).hexdigest()[:8]
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
        return [canonical.decode(line, Event) for line in path.read_bytes().splitlines()]
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidRecordError(
            f"`{path}` cannot be read: {error}", hint="restore it: `git checkout` in the archive"
        ) from error


def _files(archive: Archive, kind: str = "*") -> list[Path]:
    """List the batches of a kind, newest first."""
    return sorted(archive.ledger.glob(f"*/*-{kind}-*{_SUFFIX}"), key=lambda path: path.name, reverse=True)


def events(archive: Archive) -> Iterator[Event]:
    """Yield all events, oldest first.

    Raises:
        InvalidRecordError: a line is no event.
    """
    found = [event for path in _files(archive) for event in read(path)]
    yield from sorted(found, key=_moment)


def captures(archive: Archive) -> Iterator[Event]:
    """Yield the captures, newest first, reading no further back than is asked for.

    Raises:
        InvalidRecordError: a line is no event.
    """
    held: list[Event] = []
    for path in _files(archive, CAPTURED):
        # A batch is named for the second of its newest event: no older batch holds anything newer.
        second = path.name.partition("-")[0]
        newer = [event for event in held if clock.compact(clock.parse(event.time)) > second]
        yield from sorted(newer, key=_moment, reverse=True)
        held = [event for event in held if event not in newer] + read(path)
    yield from sorted(held, key=_moment, reverse=True)
