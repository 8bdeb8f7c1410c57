"""Samples without their content: what is private stays out, and two runs can still be compared."""

from __future__ import annotations

import dataclasses

import msgspec

from reprokit.bundle import canonical
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Digest, Json, NotScored, Score
from reprokit.harnesses.interface import Reading

REASON = "samples are kept as digests only"
SCRIPT = "script"
_REASONS = frozenset({"nan", "infinity", "-infinity", "null", "N/A"})


def as_digests(sample: Sample) -> Sample:
    """Reduce a sample to its keys, marks and digests.

    A digest is SHA-256 over the canonical JSON line of the value, so equal content has equal digests in every run; what
    is easily guessed, such as a letter out of four, is easily found by trying.
    """
    return msgspec.structs.replace(
        sample,
        document=None,
        document_digest=sample.document_digest or _digest(sample.document),
        prompt=None,
        prompt_digest=sample.prompt_digest or _digest(sample.prompt),
        target=None,
        target_digest=sample.target_digest or _digest(sample.target),
        responses=[],
        responses_digest=_digest(sample.responses or None),
        media=[msgspec.structs.replace(medium, name=None) for medium in sample.media],
        answer=None,
        answer_digest=_digest(sample.answer),
        scores={name: _mark(score) for name, score in sample.scores.items()},
        extra={},
    )


def _mark(score: Score) -> Score:
    # Why there is no mark may be told in words of the sample.
    if isinstance(score, NotScored) and score.not_scored not in _REASONS:
        return NotScored(not_scored="text")
    return score


def may_tell_samples(reading: Reading) -> bool:
    """Tell whether the results file may say what is in samples: one of a person's own, or one with whole structures."""
    return reading.harness.name == SCRIPT or any(metric.extra is not None for metric in reading.results.metrics)


def without_structures(reading: Reading) -> Reading:
    """Drop from a reading what may tell of single samples: structures among metrics, a script's other members."""
    metrics = [msgspec.structs.replace(metric, extra=None) for metric in reading.results.metrics]
    claims = {} if reading.harness.name == SCRIPT else reading.harness.claims
    return dataclasses.replace(
        reading,
        results=msgspec.structs.replace(reading.results, metrics=metrics),
        harness=msgspec.structs.replace(reading.harness, claims=claims),
    )


def _digest(value: Json) -> Digest | None:
    return None if value is None else canonical.digest(value)
