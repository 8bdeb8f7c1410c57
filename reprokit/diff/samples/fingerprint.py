"""Two samples, held against each other stage by stage; and a sample in little space, while it waits for its partner."""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple, TypeAlias

from msgspec import Raw, Struct

from reprokit.bundle import canonical
from reprokit.bundle.values import NotScored, Score, not_finite
from reprokit.diff.difference import STAGES, Origin, Stage
from reprokit.diff.samples.keys import Key
from reprokit.diff.samples.scanning import Scanned, is_said

_WIDTH = 12
_ABSENT = bytes(_WIDTH)

Piece: TypeAlias = Raw | bytes | str | None
Pieces: TypeAlias = tuple[Piece, ...]

# The pieces that speak for each stage: document digest, document, media; prompt digest, prompt; target digest, target;
# responses; answer.
_PIECES: dict[Stage, tuple[int, ...]] = {
    "document": (0, 1, 2),
    "prompt": (3, 4),
    "target": (5, 6),
    "response": (7,),
    "answer": (8,),
}


class Reduced(Struct, frozen=True, kw_only=True, gc=False):
    """A sample to be compared.

    `pieces` holds what is said of the stages, `None` for what was not saved. `grouping` is what the sample may share
    with others.
    """

    key: Key
    id: int | str
    pieces: Pieces
    scores: dict[str, Score]
    grouping: tuple[int | None, ...] = ()


class Waiting(Struct, frozen=True, kw_only=True, gc=False):
    """A sample that waits for its partner, in a few hundred bytes.

    `pieces` are digests of 12 bytes, one after the other, zeros for what was not saved; nothing is kept of any text.
    """

    key: Key
    id: int | str
    pieces: bytes
    metrics: tuple[str, ...]
    scores: tuple[Score, ...]
    grouping: tuple[int | None, ...]


def _media(sample: Scanned) -> bytes | None:
    """Reduce the digests of a sample's pictures and sounds; `None` unless all are known."""
    if not sample.media:
        return None
    digests = [medium.digest for medium in sample.media if isinstance(medium.digest, str)]
    return _shortened(canonical.line(digests)) if len(digests) == len(sample.media) else None


def _shortened(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()[:_WIDTH]


def _of_digest(digest: str) -> bytes:
    return bytes.fromhex(digest.removeprefix("sha256:"))[:_WIDTH]


def _or_digest(value: Raw, digest: str | None) -> Piece:
    """Give what was said, or the digest that stands for it in a bundle without the samples' content."""
    if digest is not None:
        return _of_digest(digest)
    return value if is_said(value) else None


def pieces_of(sample: Scanned) -> Pieces:
    """List what a sample says of its stages."""
    return (
        sample.document_digest,
        sample.document if is_said(sample.document) else None,
        _media(sample),
        sample.prompt_digest,
        sample.prompt if is_said(sample.prompt) else None,
        sample.target_digest,
        sample.target if is_said(sample.target) else None,
        _or_digest(sample.responses, sample.responses_digest),
        _or_digest(sample.answer, sample.answer_digest),
    )


def _reduced_piece(piece: Piece) -> bytes | None:
    match piece:
        case Raw():
            return _shortened(bytes(piece))
        case str():
            return _of_digest(piece)
        case _:
            return piece


def set_aside(sample: Reduced, metrics: dict[tuple[str, ...], tuple[str, ...]]) -> Waiting:
    """Reduce a sample that has to wait. `metrics` keeps one copy of the names that many samples have in common."""
    names = tuple(sample.scores)
    return Waiting(
        key=sample.key,
        id=sample.id,
        pieces=b"".join(_reduced_piece(piece) or _ABSENT for piece in sample.pieces),
        metrics=metrics.setdefault(names, names),
        scores=tuple(sample.scores.values()),
        grouping=sample.grouping,
    )


def taken_up(sample: Waiting) -> Reduced:
    """Bring back a sample whose partner has come, or has not."""
    packed = (sample.pieces[at : at + _WIDTH] for at in range(0, len(sample.pieces), _WIDTH))
    return Reduced(
        key=sample.key,
        id=sample.id,
        pieces=tuple(None if piece == _ABSENT else piece for piece in packed),
        scores=dict(zip(sample.metrics, sample.scores, strict=True)),
        grouping=sample.grouping,
    )


class Comparison(NamedTuple):
    """How two samples of the same key compare, stage by stage.

    `unknown` stages were saved by neither in a form that both have; `known_by_one` are those of them that one side did
    save.
    """

    changed: tuple[Stage, ...]
    unknown: tuple[Stage, ...]
    known_by_one: tuple[Stage, ...]


def same_score(one: Score, other: Score) -> bool:
    """Tell whether two scores are exactly equal; what was not scored is equal for the same reason only."""
    return plain(one) == plain(other)


def plain(score: Score) -> Score:
    """Give a score that can be compared: a float that is no number becomes the reason it is none."""
    return not_finite(score) if isinstance(score, float) and not math.isfinite(score) else score


def same_scores(one: dict[str, Score], other: dict[str, Score]) -> bool:
    """Tell whether two samples got the same marks under the same metrics."""
    return one == other or (
        one.keys() == other.keys() and all(same_score(mark, other[name]) for name, mark in one.items())
    )


def is_number(score: Score) -> bool:
    """Tell whether a score is a number that can be subtracted."""
    return not isinstance(plain(score), NotScored)


def _same_piece(one: Piece, other: Piece) -> bool:
    if type(one) is type(other):
        return one == other
    return _reduced_piece(one) == _reduced_piece(other)


def _compare_stage(one: Pieces, other: Pieces, stage: Stage) -> bool | None:
    """Tell whether a stage is the same; `None` when the two have no piece of it in common."""
    known = False
    for piece in _PIECES[stage]:
        left, right = one[piece], other[piece]
        if left is not None and right is not None:
            known = True
            if not _same_piece(left, right):
                return False
    return True if known else None


def _saved(pieces: Pieces, stage: Stage) -> bool:
    return any(pieces[piece] is not None for piece in _PIECES[stage])


def compare(one: Reduced, other: Reduced) -> Comparison:
    """Compare two samples stage by stage.

    A stage differs when any piece that both sides have differs. It is unknown when they have no piece in common.
    """
    changed: list[Stage] = []
    unknown: list[Stage] = []
    left, right = one.pieces, other.pieces
    for stage in _PIECES:
        outcome = _compare_stage(left, right, stage)
        if outcome is None:
            unknown.append(stage)
        elif not outcome:
            changed.append(stage)
    if not same_scores(one.scores, other.scores):
        changed.append("score")
    known_by_one = [stage for stage in unknown if _saved(left, stage) or _saved(right, stage)]
    return Comparison(tuple(changed), tuple(unknown), tuple(known_by_one))


def origin(comparison: Comparison) -> Origin | None:
    """Name where two samples begin to differ; `None` when nothing that is known of them does.

    A score that differs under responses which nobody can compare may come from the model as well as from the scoring:
    unless the extracted answers are known to be the same, its origin is unknown.
    """
    if not comparison.changed:
        return None
    first = min(comparison.changed, key=STAGES.index)
    if first == "score" and {"response", "answer"} <= set(comparison.unknown):
        return "unknown"
    return first
