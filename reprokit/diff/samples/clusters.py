"""What samples share with each other: a picture, a document, a key of the document. Such samples are not independent.

A group is a number that samples of the same group have in common; which number it is may change from run to run.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from msgspec import Raw
from numpy.typing import NDArray

from reprokit.bundle import canonical
from reprokit.bundle.values import Json
from reprokit.diff.samples.scanning import NULL, Scanned

KINDS = ("picture", "document", "item")
"""By which samples are grouped unless a key is given: the same media, the same document, repeats of the same item."""

Labels = NDArray[np.int64]


def _of_media(sample: Scanned) -> int | None:
    if not sample.media:
        return None
    digests = tuple(medium.digest for medium in sample.media if isinstance(medium.digest, str))
    return hash(digests) if digests else None


def _of_document(sample: Scanned) -> int | None:
    if sample.document_digest is not None:
        return hash(sample.document_digest)
    return None if sample.document == NULL else hash(bytes(sample.document))


def _look_up(value: Json, path: Sequence[str]) -> Json:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


class Grouping:
    """Says what a sample may share with others, as numbers: one for a key that was asked for, else one of each kind."""

    def __init__(self, key: str | None = None) -> None:
        self._path = key.split(".") if key else []

    def of(self, sample: Scanned) -> tuple[int | None, ...]:
        """Tell the groups of a sample; `None` for what it has not."""
        if not self._path:
            return (_of_media(sample), _of_document(sample))
        value = self._value(sample)
        return (None if value is None else hash(canonical.line(value)),)

    def _value(self, sample: Scanned) -> Json:
        if self._path == ["id"]:
            return sample.id
        places: list[tuple[Raw, list[str]]] = [(sample.document, self._path), (sample.extra, self._path)]
        if self._path[0] in {"document", "extra"}:
            places.insert(0, (sample.document if self._path[0] == "document" else sample.extra, self._path[1:]))
        for raw, path in places:
            if raw != NULL and (value := _look_up(msgspec.json.decode(raw), path)) is not None:
                return value
        return None


def shared(one: int | None, other: int | None) -> int | None:
    """Give the group of a pair from those of its two sides, whichever is first."""
    if one is None or one == other:
        return other
    return one if other is None else hash(frozenset((one, other)))


def _numbered(labels: Labels) -> tuple[Labels, int]:
    values, inverse = np.unique(labels, return_inverse=True)
    return inverse.astype(np.int64), len(values)


def chosen_clusters(groups: Sequence[Labels], key: str | None) -> tuple[Labels | None, str | None]:
    """Choose what samples are grouped by, and give the group of each.

    With a key, by it. Else by the first kind that puts some samples together, but not all of them into one group: a
    harness that writes the same digest for every document says nothing by it.

    Args:
        groups: for each kind the number of each sample, shape `(n,)`.
        key: the key that was asked for.

    Returns:
        The groups, numbered from 0, and what they are; `None` twice when every sample stands for itself.
    """
    names = (key,) if key is not None else KINDS
    for labels, name in zip(groups, names, strict=True):
        numbered, count = _numbered(labels)
        if key is not None or 1 < count < len(labels):
            return numbered, name
    return None, None
