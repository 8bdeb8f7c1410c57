"""What `sync --status` shows: what waits, since when, for what, and why; nothing is changed by looking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct

from reprokit.archive import pending, publication
from reprokit.archive.layout import Archive
from reprokit.cli.options import counted
from reprokit.outbox import waiting as outbox
from reprokit.outbox.waiting import Damaged, Waiting

SCHEMA = "https://w3id.org/reprokit/v1/outbox.schema.json"

_SECOND = len("2026-11-23T03:15:47")
_INDENT = " " * 13


class Outstanding(Struct, frozen=True, kw_only=True):
    """What `sync` would do, as far as that can be told without doing it."""

    schema: str = SCHEMA
    waiting: Annotated[list[Waiting], Meta(description="bundles that wait for a mirror, longest first")]
    damaged: Annotated[list[Damaged], Meta(description="files of the outbox that say nothing")] = []
    pending: Annotated[list[str], Meta(description="bundles that are published and not yet registered")] = []
    interrupted: Annotated[list[str], Meta(description="captures that were cut short, and when they began")] = []


def look(archive: Archive) -> Outstanding:
    """See what is left to do.

    Raises:
        UsageError: a link stands where a folder of the archive's own belongs, or it came with the archive's commits.
        OSError: the archive cannot be read.
    """
    there = outbox.contents(archive)
    return Outstanding(
        waiting=list(there.waiting),
        damaged=list(there.damaged),
        pending=sorted(pending.waiting(archive)),
        interrupted=[
            f"{each.owner.description}, {each.owner.created}" for each in publication.abandoned(archive) if each.gone
        ],
    )


def lines(found: Outstanding) -> Iterator[str]:
    """Tell it in lines."""
    if not any((found.waiting, found.damaged, found.pending, found.interrupted)):
        yield "nothing waits"
    for wish in found.waiting:
        yield from _about(wish)
    for damaged in found.damaged:
        yield f"unreadable   `{damaged.path}`: {damaged.reason}; see what it is, then remove it"
    if found.pending:
        yield f"pending      {counted(len(found.pending), 'bundle')}, published and not yet registered"
    for each in found.interrupted:
        yield f"interrupted  {each}"


def _about(wish: Waiting) -> Iterator[str]:
    address = wish.destination.get("address")
    place = f"{wish.mirror} ({address})" if isinstance(address, str) else wish.mirror
    yield f"{wish.state:<12} {wish.bundle}, for {place} since {_moment(wish.queued)}"
    tried = "not tried yet"
    if wish.tried is not None:
        tried = f"tried {counted(wish.tries, 'time')}, last {_moment(wish.tried)}"
    yield f"{_INDENT}{tried}" + (f": {wish.reason}" if wish.reason else "")
    if wish.export is not None:
        yield f"{_INDENT}exported: `{wish.export.get('command')}` sends it, or `reprokit sync` when online"
    if wish.hint:
        yield f"{_INDENT}hint: {wish.hint}"


def _moment(time: str) -> str:
    return f"{time[:_SECOND].replace('T', ' ')} UTC"
