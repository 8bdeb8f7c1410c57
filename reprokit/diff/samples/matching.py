"""How the samples of a task find their partners: by id, or by the document they are about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from reprokit.diff.samples.clusters import Grouping
from reprokit.diff.samples.fingerprint import Reduced, pieces_of
from reprokit.diff.samples.harmony import harmonise
from reprokit.diff.samples.keys import Key, Occurrences
from reprokit.diff.samples.scanning import NULL, Scanned

_LEADING = 16
_BY_DOCUMENT = "document:"


@dataclass(frozen=True, kw_only=True)
class Matching:
    """How samples are keyed.

    `documents` holds the digests of documents that each side has once, sorted: their samples are known by them, all
    others by id. `renamed` names, for a filter of b, the one of a that it is compared with. `across` says that the two
    sides speak in the words of two harnesses.
    """

    documents: frozenset[int] = frozenset()
    renamed: dict[str | None, str | None] = field(default_factory=dict)
    across: bool = False

    def aligned(self, filter_: str | None) -> str | None:
        """Give a's name of a filter of b."""
        return self.renamed.get(filter_, filter_)


def document_number(sample: Scanned) -> int | None:
    """Give the first 64 bits of the digest of a sample's document; `None` when it saved neither."""
    if sample.document_digest is not None:
        try:
            return int(sample.document_digest.removeprefix("sha256:")[:_LEADING], 16)
        except ValueError:
            return None
    if sample.document != NULL:
        return int.from_bytes(hashlib.sha256(sample.document).digest()[: _LEADING // 2], "big")
    return None


def is_by_document(key: Key) -> bool:
    """Tell whether a key names a document rather than an id."""
    return isinstance(key.id, str) and key.id.startswith(_BY_DOCUMENT)


@dataclass(frozen=True, kw_only=True)
class _Surveyed:
    filters: frozenset[str | None]
    numbers: np.ndarray[tuple[int], np.dtype[np.uint64]]


def _survey(samples: Iterable[Scanned]) -> _Surveyed:
    """Note which filters a side has, and which documents it has once for each filter and repeat."""
    filters: set[str | None] = set()
    by_part: dict[tuple[str | None, int], list[int]] = {}
    for sample in samples:
        filters.add(sample.filter)
        number = document_number(sample)
        if number is not None:
            by_part.setdefault((sample.filter, sample.epoch), []).append(number)
    kept: set[int] | None = None
    repeated: set[int] = set()
    for numbers in by_part.values():
        values, counts = np.unique(np.asarray(numbers, dtype=np.uint64), return_counts=True)
        repeated.update(values[counts > 1].tolist())
        kept = (kept or set()) | set(values.tolist())
    once = np.asarray(sorted((kept or set()) - repeated), dtype=np.uint64)
    return _Surveyed(filters=frozenset(filters), numbers=once)


def by_document(
    a: Iterable[Scanned], b: Iterable[Scanned], *, across: bool, renamed: dict[str | None, str | None]
) -> Matching:
    """Look through both sides for documents that both have, to know samples by them.

    A document that stands more than once on a side, in the same filter and repeat, tells nothing.
    """
    one, other = _survey(a), _survey(b)
    shared = np.intersect1d(one.numbers, other.numbers, assume_unique=True)
    if across and not renamed and len(one.filters) == 1 and len(other.filters) == 1:
        renamed = dict.fromkeys(other.filters, next(iter(one.filters)))
    return Matching(documents=frozenset(shared.tolist()), renamed=renamed, across=across)


def keyed(
    samples: Iterable[Scanned], matching: Matching, occurrences: Occurrences, grouping: Grouping, *, second: bool
) -> Iterator[Reduced]:
    """Key a stream of samples.

    Args:
        samples: those of one side.
        matching: how to.
        occurrences: numbers repeated ones.
        grouping: notes what a sample may share with others.
        second: they are b's, whose filters may go by other names.
    """
    for sample in samples:
        filter_ = matching.aligned(sample.filter) if second else sample.filter
        identifier: int | str = sample.id
        if matching.documents and (number := document_number(sample)) in matching.documents:
            identifier = f"{_BY_DOCUMENT}{number:016x}"
        key = Key(filter_, identifier, sample.epoch, occurrences.number(filter_, identifier, sample.epoch))
        groups = grouping.of(sample)
        # Where some documents are the same, both write them alike, and others are others.
        compared = harmonise(sample, documents_alike=bool(matching.documents)) if matching.across else sample
        yield Reduced(key=key, id=sample.id, pieces=pieces_of(compared), scores=sample.scores, grouping=groups)
