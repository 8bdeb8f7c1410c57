"""The command of a run that nobody watched, worked out from the harness's own files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from reprokit.bundle import bag
from reprokit.bundle.reading import Bundle
from reprokit.bundle.record import Record
from reprokit.bundle.values import Argument, SecretSlot, Unknown
from reprokit.harnesses import table

_HARNESS = "harness"
_SLOT = re.compile("\0([^\0]+)\0")


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """A record whose command is known. `lost` says what the worked-out one cannot know."""

    record: Record
    come_from: Literal["record", "outputs"] = "record"
    lost: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()


def invocation_of(bundle: Bundle) -> Rebuilt:
    """Give a bundle's record with its command, worked out where it was captured from finished outputs."""
    record = bundle.record
    harness = table.by_name(record.harness.name)
    if not isinstance(record.invocation.argv, Unknown) or harness is None:
        return Rebuilt(record=record)
    runs = harness.find([bundle.path / bag.PAYLOAD / _HARNESS])
    if len(runs) != 1:
        return Rebuilt(record=record)
    told = harness.rebuilt(runs[0])
    if isinstance(told, Unknown):
        return Rebuilt(record=record, obstacles=(f"nor do the harness's files tell it: {told.unknown}",))
    invocation = replace(
        record.invocation,
        argv=[_argument(word) for word in told.argv],
        program=told.argv[0],
        program_in="system",
        outputs=harness.outputs(told.argv),
    )
    return Rebuilt(record=replace(record, invocation=invocation), come_from="outputs", lost=told.lost)


def _argument(word: str) -> Argument:
    pieces = _SLOT.split(word)
    if len(pieces) == 1:
        return word
    parts: list[str | SecretSlot] = []
    for at, piece in enumerate(pieces):
        if at % 2:
            parts.append(SecretSlot(secret=piece))
        elif piece:
            parts.append(piece)
    return parts
