"""Which samples a run over some of them takes: at random, and the same ones on every machine."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator
from typing import TypeAlias

import msgspec
from msgspec import Struct

from reprokit.bundle import canonical
from reprokit.diff.samples.scanning import scan
from reprokit.diff.side import Side
from reprokit.errors import UsageError

Identifier: TypeAlias = int | str
Chosen: TypeAlias = dict[str, list[Identifier]]


class _Identified(Struct, frozen=True, gc=False):
    id: Identifier


_identified = msgspec.json.Decoder(_Identified)


def identifier(line: bytes) -> Identifier | None:
    """Read the id of a line of samples; `None` when the line is none, which is for its reader to say."""
    try:
        return _identified.decode(line).id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def choose(side: Side, per_task: int, seed: int) -> Chosen:
    """Choose samples of each task at random, whatever the order they were saved in.

    A sample's place in the draw is the SHA-256 of seed, task and id, and the smallest are taken: each set of that many
    ids is as likely as any other, and the same seed draws the same on every machine. Memory does not grow with the
    samples.

    Args:
        side: the run whose samples are drawn.
        per_task: how many of each task at most, at least 1; repeats of an item and its answer extractions come with it.
        seed: of the draw.

    Returns:
        By task the ids, in their own order. Tasks without samples are left out.

    Raises:
        UsageError: not even one sample of each task is wanted.
        InvalidRecordError: a line of samples cannot be read.
    """
    if per_task < 1:
        raise UsageError(f"{per_task} samples of each task are none", hint="give at least 1")
    drawn = {task: _smallest(_identifiers(side, task), per_task, (seed, task)) for task in side.tasks()}
    return {task: sorted(ids, key=_order) for task, ids in drawn.items() if ids}


def _identifiers(side: Side, task: str) -> Iterator[Identifier]:
    return (sample.id for sample in scan(side, task))


def _smallest(identifiers: Iterable[Identifier], count: int, draw: tuple[int, str]) -> list[Identifier]:
    """Keep the ids with the smallest digests; one that was passed over is passed over when it comes again."""
    largest_first: list[tuple[int, Identifier]] = []
    kept: set[Identifier] = set()
    for each in identifiers:
        if each in kept:
            continue
        place = -int.from_bytes(hashlib.sha256(canonical.line([*draw, each])).digest(), "big")
        if len(largest_first) < count:
            heapq.heappush(largest_first, (place, each))
            kept.add(each)
        elif place > largest_first[0][0]:
            kept.discard(heapq.heapreplace(largest_first, (place, each))[1])
            kept.add(each)
    return [each for _, each in largest_first]


def _order(each: Identifier) -> tuple[bool, int, str]:
    return (True, 0, each) if isinstance(each, str) else (False, each, "")
