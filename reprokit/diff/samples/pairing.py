"""Two streams of samples, paired while they go by.

Both are read side by side. A sample waits, reduced to digests, until its partner comes by on the other side: files in
the same order never have more than a handful waiting, files in opposite order at most all of them. Documents, prompts
and responses are never held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from reprokit.diff.samples.fingerprint import Reduced, Waiting, set_aside, taken_up
from reprokit.diff.samples.keys import Key

Pair = tuple[Reduced | None, Reduced | None]


class _Waiting:
    """The samples of one side whose partners have not come by."""

    def __init__(self) -> None:
        self._samples: dict[Key, Waiting] = {}
        self._metrics: dict[tuple[str, ...], tuple[str, ...]] = {}

    def add(self, sample: Reduced) -> None:
        self._samples[sample.key] = set_aside(sample, self._metrics)

    def take(self, key: Key) -> Reduced | None:
        found = self._samples.pop(key, None)
        return None if found is None else taken_up(found)

    def rest(self) -> Iterator[Reduced]:
        return map(taken_up, self._samples.values())


def pairs(one: Iterable[Reduced], other: Iterable[Reduced]) -> Iterator[Pair]:
    """Pair two streams by key, reading both only once; those without a partner come last."""
    waiting_one, waiting_other = _Waiting(), _Waiting()
    for left, right in zip_longest(one, other):
        if left is not None and right is not None and left.key == right.key:
            yield left, right
            continue
        if left is not None:
            partner = waiting_other.take(left.key)
            if partner is not None:
                yield left, partner
            else:
                waiting_one.add(left)
        if right is not None:
            partner = waiting_one.take(right.key)
            if partner is not None:
                yield partner, right
            else:
                waiting_other.add(right)
    yield from ((left, None) for left in waiting_one.rest())
    yield from ((None, right) for right in waiting_other.rest())
