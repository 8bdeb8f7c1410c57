"""The samples of several runs of one task, put together while they go by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import TypeVar

from reprokit.diff.samples.keys import Key, Occurrences
from reprokit.diff.samples.scanning import Scanned

T = TypeVar("T")


def key(sample: Scanned, seen: Occurrences) -> Key:
    """Say which sample of its task it is, as a comparison of two runs does."""
    return Key(sample.filter, sample.id, sample.epoch, seen.number(sample.filter, sample.id, sample.epoch))


def join(streams: Sequence[Iterable[tuple[Key, T]]]) -> Iterator[tuple[T | None, ...]]:
    """Put together what several streams say of the same key, reading each only once and all side by side.

    A sample waits until all streams have come to it: a handful wait when runs wrote theirs in the same order, all when
    some run wrote them in the opposite one.

    Returns:
        One entry for each stream; those that lack the key, where there is `None`, come last.
    """
    waiting: dict[Key, list[T | None]] = {}
    for row in zip_longest(*streams):
        for position, item in enumerate(row):
            if item is None:
                continue
            slots = waiting.setdefault(item[0], [None] * len(streams))
            slots[position] = item[1]
            if None not in slots:
                yield tuple(waiting.pop(item[0]))
    yield from map(tuple, waiting.values())
