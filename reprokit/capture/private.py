"""Samples without their content: what is private stays out, and two runs can still be compared."""

from __future__ import annotations

import msgspec

from reprokit.bundle import canonical
from reprokit.bundle.results import Results
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Digest, Json

REASON = "samples are kept as digests only"


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
        extra={},
    )


def without_structures(results: Results) -> Results:
    """Drop the values of metrics that are structures: some harnesses list single samples in them."""
    return msgspec.structs.replace(
        results, metrics=[msgspec.structs.replace(metric, extra=None) for metric in results.metrics]
    )


def _digest(value: Json) -> Digest | None:
    return None if value is None else canonical.digest(value)
