"""Two samples, held against each other stage by stage; and a sample in little space, while it waits for its partner."""

from __future__ import annotations

import hashlib
import math
from itertools import islice
from typing import TypeAlias

from msgspec import Raw, Struct

from reprokit.bundle import canonical
from reprokit.bundle.values import Score, not_finite
from reprokit.diff.difference import Origin, Stage
from reprokit.diff.samples.keys import Key
from reprokit.diff.samples.scanning import NONE_SAID, NULL, Scanned

_WIDTH = 12
_ABSENT = bytes(_WIDTH)

Piece: TypeAlias = Raw | bytes | str | None
Part: TypeAlias = tuple[Piece, ...]
Pieces: TypeAlias = tuple[Part, Part, Part, Part, Part]

_STAGES: tuple[Stage, ...] = ("document", "prompt", "target", "response", "answer")
# How many pieces speak for each of them.
_PIECES = (3, 2, 2, 1, 1)
_MEDIA = 2


class Reduced(Struct, frozen=True, kw_only=True, gc=False):
    """A sample to be compared.

    `pieces` holds what is said of each stage: of the document its digest, itself and its media; of prompt and target
    their digest and themselves; responses; answer. `None` stands for what was not saved. `grouping` is what the sample
    may share with others.
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
    digests = [medium.digest for medium in sample.media if isinstance(medium.digest, str)]
    return _shortened(canonical.line(digests)) if len(digests) == len(sample.media) else None


def _shortened(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()[:_WIDTH]


def _of_digest(digest: str) -> bytes:
    try:
        return bytes.fromhex(digest.removeprefix("sha256:"))[:_WIDTH]
    except ValueError:
        # What is no digest is still the same or not.
        return _shortened(canonical.line(digest))


def pieces_of(sample: Scanned) -> Pieces:
    """List what a sample says of its stages.

    A digest of responses or answer stands for them in a bundle without the samples' content.
    """
    document, prompt, target = sample.document, sample.prompt, sample.target
    responses: Piece = sample.responses if sample.responses_digest is None else _of_digest(sample.responses_digest)
    answer: Piece = sample.answer if sample.answer_digest is None else _of_digest(sample.answer_digest)
    return (
        (
            sample.document_digest,
            None if document == NULL else document,
            _media(sample) if sample.media else None,
        ),
        (sample.prompt_digest, None if prompt == NULL else prompt),
        (sample.target_digest, None if target == NULL else target),
        (None if responses in (NONE_SAID, NULL) else responses,),
        (None if answer == NULL else answer,),
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
        pieces=b"".join(_reduced_piece(piece) or _ABSENT for part in sample.pieces for piece in part),
        metrics=metrics.setdefault(names, names),
        scores=tuple(sample.scores.values()),
        grouping=sample.grouping,
    )


def taken_up(sample: Waiting) -> Reduced:
    """Bring back a sample whose partner has come, or has not."""
    packed = (sample.pieces[at : at + _WIDTH] for at in range(0, len(sample.pieces), _WIDTH))
    pieces = iter([None if piece == _ABSENT else piece for piece in packed])
    document, prompt, target, responses, answer = (tuple(islice(pieces, count)) for count in _PIECES)
    return Reduced(
        key=sample.key,
        id=sample.id,
        pieces=(document, prompt, target, responses, answer),
        scores=dict(zip(sample.metrics, sample.scores, strict=True)),
        grouping=sample.grouping,
    )


class Comparison(Struct, frozen=True, gc=False):
    """How two samples of the same key compare, stage by stage, first to last.

    `unknown` stages were saved by neither in a form that both have; `known_by_one` are those of them that one side did
    save. `asked_alike` says that both were asked the same question: about the same document, or about one that differs
    in what neither the prompt, nor the target, nor a picture shows.
    """

    changed: tuple[Stage, ...]
    unknown: tuple[Stage, ...]
    known_by_one: tuple[Stage, ...]
    asked_alike: bool


def same_score(one: Score, other: Score) -> bool:
    """Tell whether two scores are exactly equal; what was not scored is equal for the same reason only."""
    return plain(one) == plain(other)


def plain(score: Score) -> Score:
    """Give a score that can be compared: a float that is no number becomes the reason it is none."""
    return not_finite(score) if isinstance(score, float) and not math.isfinite(score) else score


def _same_piece(one: Piece, other: Piece) -> bool:
    if type(one) is type(other):
        return one == other
    return _reduced_piece(one) == _reduced_piece(other)


def _compare_stage(one: Part, other: Part) -> bool | None:
    """Tell whether a stage is the same; `None` when the two have no piece of it in common."""
    known: bool | None = None
    for left, right in zip(one, other, strict=True):
        if left is not None and right is not None:
            known = True
            if not _same_piece(left, right):
                return False
    return known


def _is_saved(part: Part) -> bool:
    return part.count(None) < len(part)


def compare(one: Reduced, other: Reduced) -> Comparison:
    """Compare two samples stage by stage.

    A stage differs when any piece that both sides have differs. It is unknown when they have no piece in common.
    """
    changed: list[Stage] = []
    unknown: list[Stage] = []
    known_by_one: list[Stage] = []
    for stage, left, right in zip(_STAGES, one.pieces, other.pieces, strict=True):
        # Most stages of most samples are the same, and that is quickly seen.
        outcome = (_is_saved(left) or None) if left == right else _compare_stage(left, right)
        if outcome is None:
            unknown.append(stage)
            if left != right:
                known_by_one.append(stage)
        elif not outcome:
            changed.append(stage)
    if one.scores != other.scores:
        changed.append("score")
    alike = "document" not in changed or _are_asked_alike(one.pieces, other.pieces)
    return Comparison(tuple(changed), tuple(unknown), tuple(known_by_one), alike)


def _are_asked_alike(one: Pieces, other: Pieces) -> bool:
    """Tell whether two different documents make the same question, as far as is known."""
    (document, prompt, target, *_), (other_document, other_prompt, other_target, *_) = one, other
    if document[_MEDIA] != other_document[_MEDIA]:
        return False
    return bool(_compare_stage(prompt, other_prompt) and _compare_stage(target, other_target))


def origin(comparison: Comparison) -> Origin | None:
    """Name where two samples begin to differ; `None` when nothing that is known of them does.

    A score that differs under responses which nobody can compare may come from the model as well as from the scoring:
    unless the extracted answers are known to be the same, its origin is unknown.
    """
    if not comparison.changed:
        return None
    first = comparison.changed[0]
    if first == "score" and {"response", "answer"} <= set(comparison.unknown):
        return "unknown"
    return first
