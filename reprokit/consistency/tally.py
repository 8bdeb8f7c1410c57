"""What is remembered of the samples of one task and filter: sums and counts, never the samples."""

from __future__ import annotations

from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Json, NotScored
from reprokit.consistency.keys import Keys
from reprokit.consistency.moments import Moments
from reprokit.consistency.responses import holds_nan, is_empty


class Constant:
    """Whether a value that came several times was always the same."""

    __slots__ = ("count", "same", "value")

    def __init__(self) -> None:
        self.value: Json = None
        self.same = True
        self.count = 0

    def add(self, value: Json) -> None:
        """Take in one more."""
        self.count += 1
        if self.count == 1:
            self.value = value
        elif self.same and not _equal(value, self.value):
            self.same = False
            self.value = None


class Tally:
    """The samples of one task and filter, in numbers.

    `answered` counts the samples with saved responses, `empty` those with nothing in them, `undefined` those whose
    responses hold a log-probability of `nan` although there is a score.
    """

    __slots__ = (
        "_likelihoods",
        "answered",
        "documents",
        "empty",
        "identifiers",
        "keys",
        "prompts",
        "responses",
        "samples",
        "scores",
        "undefined",
    )

    def __init__(self, *, likelihoods: bool) -> None:
        self._likelihoods = likelihoods
        self.samples = 0
        self.keys = Keys()
        self.scores: dict[str, Moments] = {}
        self.answered = 0
        self.empty = 0
        self.undefined = 0
        self.identifiers = Constant()
        self.documents = Constant()
        self.prompts = Constant()
        self.responses = Constant()

    def add(self, sample: Sample) -> None:
        """Take in a sample."""
        self.samples += 1
        self.keys.add(sample.id, sample.epoch)
        for name, score in sample.scores.items():
            moments = self.scores.get(name)
            if moments is None:
                moments = self.scores[name] = Moments()
            moments.add(score)
        if sample.document_digest is not None and self.documents.same:
            self.identifiers.add(sample.id)
            self.documents.add(sample.document_digest)
        if sample.responses:
            self._add_responses(sample)

    def _add_responses(self, sample: Sample) -> None:
        responses = sample.responses
        self.answered += 1
        if self.responses.same:
            self.responses.add(responses)
            if sample.prompt_digest is not None:
                self.prompts.add(sample.prompt_digest)
        if is_empty(responses):
            self.empty += 1
        elif holds_nan(responses, numbers=self._likelihoods) and _is_scored(sample):
            self.undefined += 1


def _equal(one: Json, other: Json) -> bool:
    """Compare two values; those that are nested too deeply to be compared count as different."""
    try:
        return bool(one == other)
    except RecursionError:
        return False


def _is_scored(sample: Sample) -> bool:
    return any(type(score) is not NotScored for score in sample.scores.values())
