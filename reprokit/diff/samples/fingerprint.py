"""A sample in little space: what it takes to tell whether two samples are the same, and where they part."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from msgspec import Struct

from reprokit.bundle import canonical
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Json, NotScored, Score, not_finite
from reprokit.diff.difference import Stage

_WIDTH = 12
_UNKNOWN = bytes(_WIDTH)
_PAGE = 6

Order: TypeAlias = tuple[bool, str, bool, int, str, int, int]


class Key(NamedTuple):
    """What says which sample it is within a task: the id as typed, the repeat, the answer extraction.

    `occurrence` is 1, and more for lines of the same file that say the same in all else.
    """

    filter: str | None
    id: int | str
    epoch: int
    occurrence: int


class Fingerprint(Struct, frozen=True, kw_only=True, gc=False):
    """One sample, reduced.

    `pieces` holds, in fixed places of 12 bytes each, digests of: document digest, document, media, prompt digest,
    prompt, target digest, target, responses, answer. A piece of zeros stands for what was not saved.
    """

    key: Key
    pieces: bytes
    scores: dict[str, Score]


# The pieces that speak for each stage.
_PIECES: dict[Stage, tuple[int, ...]] = {
    "document": (0, 1, 2),
    "prompt": (3, 4),
    "target": (5, 6),
    "response": (7,),
    "answer": (8,),
}
_SPANS = {stage: slice(pieces[0] * _WIDTH, (pieces[-1] + 1) * _WIDTH) for stage, pieces in _PIECES.items()}


def order(key: Key) -> Order:
    """Give a key a place among all keys, whatever the types of their ids."""
    number, text = (0, key.id) if isinstance(key.id, str) else (key.id, "")
    return key.filter is not None, key.filter or "", isinstance(key.id, str), number, text, key.epoch, key.occurrence


class Occurrences:
    """Numbers the lines of a file that have the same key, from 1.

    Whole-number ids, as most harnesses have, cost a few bits each when they are dense; text ids 16 bytes and their
    place in a set.
    """

    def __init__(self) -> None:
        self._pages: dict[tuple[str | None, int, int], int] = {}
        self._texts: set[bytes] = set()
        self._again: dict[tuple[str | None, int | str, int], int] = {}

    @property
    def repeated(self) -> int:
        """How many lines had the key of an earlier one."""
        return sum(number - 1 for number in self._again.values())

    def number(self, sample: Sample) -> int:
        """Note a line and give its number among those of the same key."""
        if self._is_new(sample):
            return 1
        key = (sample.filter, sample.id, sample.epoch)
        self._again[key] = self._again.get(key, 1) + 1
        return self._again[key]

    def _is_new(self, sample: Sample) -> bool:
        if isinstance(sample.id, str):
            digest = _digest([sample.filter, sample.id, sample.epoch], width=16)
            new = digest not in self._texts
            self._texts.add(digest)
            return new
        page, bit = (sample.filter, sample.epoch, sample.id >> _PAGE), 1 << (sample.id & (1 << _PAGE) - 1)
        seen = self._pages.get(page, 0)
        self._pages[page] = seen | bit
        return not seen & bit


def _digest(value: Json, width: int = _WIDTH) -> bytes:
    return hashlib.sha256(canonical.line(value)).digest()[:width]


def _piece(value: Json) -> bytes:
    return _UNKNOWN if value is None else _digest(value)


def _piece_or(digest: str | None, value: Json) -> bytes:
    """Reduce a value, or take the digest that stands for it in a bundle without the samples' content."""
    return _piece(value) if digest is None else bytes.fromhex(digest.removeprefix("sha256:"))[:_WIDTH]


def _media(sample: Sample) -> list[str] | None:
    """List the digests of a sample's pictures and sounds; `None` unless all are known."""
    digests = [medium.digest for medium in sample.media if isinstance(medium.digest, str)]
    return digests if digests and len(digests) == len(sample.media) else None


def fingerprint(sample: Sample, occurrence: int) -> Fingerprint:
    """Reduce a sample. Nothing of its texts is kept."""
    pieces = (
        _piece(sample.document_digest),
        _piece(sample.document),
        _piece(_media(sample)),
        _piece(sample.prompt_digest),
        _piece(sample.prompt),
        _piece(sample.target_digest),
        _piece(sample.target),
        _piece_or(sample.responses_digest, sample.responses or None),
        _piece_or(sample.answer_digest, sample.answer),
    )
    return Fingerprint(
        key=Key(sample.filter, sample.id, sample.epoch, occurrence), pieces=b"".join(pieces), scores=sample.scores
    )


def fingerprints(samples: Iterable[Sample], occurrences: Occurrences) -> Iterator[Fingerprint]:
    """Reduce a stream of samples, numbering repeated ones."""
    return (fingerprint(sample, occurrences.number(sample)) for sample in samples)


class Comparison(NamedTuple):
    """How two samples of the same key compare, stage by stage.

    `unknown` stages were saved by neither in a form that both have; `known_by_one` are those of them that one side did
    save.
    """

    changed: tuple[Stage, ...]
    unknown: tuple[Stage, ...]
    known_by_one: tuple[Stage, ...]


def _known(one: Fingerprint, piece: int) -> bytes | None:
    found = one.pieces[piece * _WIDTH : (piece + 1) * _WIDTH]
    return None if found == _UNKNOWN else found


def same_score(one: Score, other: Score) -> bool:
    """Tell whether two scores are exactly equal; what was not scored is equal for the same reason only."""
    return plain(one) == plain(other)


def plain(score: Score) -> Score:
    """Give a score that can be compared: a float that is no number becomes the reason it is none."""
    return not_finite(score) if isinstance(score, float) and not math.isfinite(score) else score


def same_scores(one: dict[str, Score], other: dict[str, Score]) -> bool:
    """Tell whether two samples got the same marks under the same metrics."""
    return one.keys() == other.keys() and all(same_score(mark, other[name]) for name, mark in one.items())


def is_number(score: Score) -> bool:
    """Tell whether a score is a number that can be subtracted."""
    return not isinstance(plain(score), NotScored)


def _compare_stage(one: Fingerprint, other: Fingerprint, stage: Stage) -> bool | None:
    """Tell whether a stage is the same; `None` when the two have no piece of it in common."""
    pairs = [(_known(one, piece), _known(other, piece)) for piece in _PIECES[stage]]
    shared = [left == right for left, right in pairs if left is not None and right is not None]
    return all(shared) if shared else None


def _saved(one: Fingerprint, stage: Stage) -> bool:
    return any(one.pieces[_SPANS[stage]])


def compare(one: Fingerprint, other: Fingerprint) -> Comparison:
    """Compare two samples stage by stage.

    A stage differs when any piece that both sides have differs. It is unknown when they have no piece in common.
    """
    scored: tuple[Stage, ...] = () if same_scores(one.scores, other.scores) else ("score",)
    if one.pieces == other.pieces:
        return Comparison(scored, tuple(stage for stage in _PIECES if not _saved(one, stage)), ())
    outcomes = {stage: _compare_stage(one, other, stage) for stage in _PIECES}
    unknown = tuple(stage for stage, outcome in outcomes.items() if outcome is None)
    return Comparison(
        changed=(*(stage for stage, outcome in outcomes.items() if outcome is False), *scored),
        unknown=unknown,
        known_by_one=tuple(stage for stage in unknown if _saved(one, stage) or _saved(other, stage)),
    )
