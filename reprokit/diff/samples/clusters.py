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

NO_GROUP = -(1 << 63)
"""Stands for the group of a sample that has none."""

Labels = NDArray[np.int64]
_MOST_OF_ALL = 0.9


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
    """Says what a sample may share with others, as numbers: media, document, and the key that was asked for, if any."""

    def __init__(self, key: str | None = None) -> None:
        self._path = key.split(".") if key else []

    def of(self, sample: Scanned) -> tuple[int | None, ...]:
        """Tell the groups of a sample; `None` for what it has not."""
        kinds = (_of_media(sample), _of_document(sample))
        if not self._path:
            return kinds
        value = self._value(sample)
        return (*kinds, None if value is None else hash(canonical.line(value)))

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


def as_label(identifier: int | str) -> int:
    """Give an item's id as a number of its own; Python's `hash` has one for -1 and -2."""
    if isinstance(identifier, int) and NO_GROUP < identifier <= -(NO_GROUP + 1):
        return identifier
    return hash(f"id {identifier}")


def _labels(groups: Labels, otherwise: Labels) -> Labels:
    """Give each sample its group, or where it has none the group that it is in otherwise."""
    return np.where(groups == NO_GROUP, otherwise, groups)


def _tells(groups: Labels) -> bool:
    """Tell whether groups are to be believed: some samples share one, and not nearly all of them the same."""
    known = groups[groups != NO_GROUP]
    counts = np.unique(known, return_counts=True)[1]
    return bool(len(counts)) and int(counts.max()) > 1 and int(counts.max()) <= _MOST_OF_ALL * len(groups)


def chosen_clusters(groups: Sequence[Labels], items: Labels, key: str | None) -> tuple[Labels | None, str | None]:
    """Choose what samples are grouped by, and give the group of each.

    By the key, where a sample of the task has it. Else by the same picture, where some share one, else by the same
    document, else by the item, of which there may be repeats. Samples without a picture are grouped by their document,
    those without a document by their item. A digest that nearly all samples have says nothing: some harnesses write
    the same for every document.

    Args:
        groups: of pictures, of documents and of the key, each of shape `(n,)`, `NO_GROUP` where a sample has none.
        items: the label of each sample's item, shape `(n,)`.
        key: the key that was asked for.

    Returns:
        The groups, numbered from 0, and what they are; `None` twice when every sample stands for itself.
    """
    pictures, documents = groups[0], groups[1]
    by_document = _labels(documents, items) if _tells(documents) else items
    if key is not None and (groups[2] != NO_GROUP).any():
        return _numbered(_labels(groups[2], items)), key
    for name, tells, labels in (
        ("picture", _tells(pictures), _labels(pictures, by_document)),
        ("document", _tells(documents), by_document),
    ):
        if tells:
            return _numbered(labels), name
    numbered = _numbered(items)
    return (numbered, "item") if int(numbered.max()) + 1 < len(items) else (None, None)


def _numbered(labels: Labels) -> Labels:
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)
