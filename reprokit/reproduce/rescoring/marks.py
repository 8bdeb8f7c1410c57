"""The mark of a sample by lm-eval's own definitions, from what the model answered.

Sources: lm-eval 0.4.13, `ConfigurableTask.process_results` in `lm_eval/api/task.py` and `lm_eval/api/metrics.py`. Only
what is the same there since 0.4.3 is here. A mark is a number and its weight in the task's score.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Sequence
from typing import NamedTuple

from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Json
from reprokit.reproduce.rescoring.patterns import usable

_PAIR = 2
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NO_DIGITS = str.maketrans("", "", string.digits)


class Mark(NamedTuple):
    """What one sample adds to a score."""

    value: float
    weight: float = 1.0


class NotMarkedError(ValueError):
    """A sample's mark cannot be computed again; the message says why."""


Marker = Callable[[Sample, Sequence[Json]], Mark]
"""Computes the mark of a sample from the answers to its requests."""


def exact_match(options: dict[str, Json]) -> Marker:
    """Compare answer and target as text, with the options of the task's metric."""

    def plain(text: str) -> str:
        for pattern in options.get("regexes_to_ignore") or ():
            text = usable(pattern, text).sub("", text)
        text = text.lower() if options.get("ignore_case") else text
        text = text.translate(_NO_PUNCTUATION) if options.get("ignore_punctuation") else text
        text = text.translate(_NO_DIGITS) if options.get("ignore_numbers") else text
        # It compares arrays of numpy, which does not see these at the end.
        return text.rstrip("\0")

    def mark(sample: Sample, answers: Sequence[Json]) -> Mark:
        answer, target = answers[0], sample.target
        if not isinstance(answer, str) or not isinstance(target, str):
            raise NotMarkedError("an answer or a target is no text")
        if target.startswith("["):
            raise NotMarkedError("a target may be a list of several: the record does not tell")
        return Mark(float(plain(answer) == plain(target)))

    return mark


def choice(lengths: Callable[[str], int] | None, delimiters: Sequence[str]) -> Marker:
    """Tell whether the likeliest choice is the target: `acc`, and by length `acc_norm` and `acc_bytes`.

    Args:
        lengths: how long a choice counts as, when likelihoods are divided by it.
        delimiters: what may stand before a choice in what the model was given.
    """

    def mark(sample: Sample, answers: Sequence[Json]) -> Mark:
        likelihoods = [_likelihood(answer)[0] for answer in answers]
        choices = _choices(sample, delimiters, len(likelihoods))
        if lengths is not None:
            sizes = [lengths(each) for each in choices]
            if not all(sizes):
                raise NotMarkedError("a choice is empty")
            likelihoods = [value / size for value, size in zip(likelihoods, sizes, strict=True)]
        return Mark(float(_largest(likelihoods) == _index(sample.target, choices)))

    return mark


def greedy_choice(delimiters: Sequence[str]) -> Marker:
    """Tell whether greedy decoding gives the target: `exact_match` of multiple choice."""

    def mark(sample: Sample, answers: Sequence[Json]) -> Mark:
        index = _index(sample.target, _choices(sample, delimiters, len(answers)))
        return Mark(float(_likelihood(answers[index])[1]) if 0 <= index < len(answers) else 0.0)

    return mark


def greedy(sample: Sample, answers: Sequence[Json]) -> Mark:
    """Tell whether greedy decoding gives the continuation: `acc` of a log-likelihood task."""
    del sample
    return Mark(float(_likelihood(answers[0])[1]))


def likelihood(sample: Sample, answers: Sequence[Json]) -> Mark:
    """Give the log-likelihood of the continuation: `perplexity`."""
    del sample
    return Mark(_likelihood(answers[0])[0])


def rolling(sizes: Callable[[str], int]) -> Marker:
    """Give the log-likelihood of a text, weighted by its words or its bytes: the perplexities of a whole text."""

    def mark(sample: Sample, answers: Sequence[Json]) -> Mark:
        if not isinstance(sample.target, str):
            raise NotMarkedError("a target is no text")
        return Mark(_number(answers[0]), float(sizes(sample.target)))

    return mark


def words(text: str) -> int:
    """Count words as lm-eval does."""
    return len(re.split(r"\s+", text))


def octets(text: str) -> int:
    """Count the bytes of a text."""
    return len(text.encode(errors="surrogatepass"))


def _likelihood(answer: Json) -> tuple[float, bool]:
    if not isinstance(answer, list) or len(answer) != _PAIR or answer[1] not in {"True", "False"}:
        raise NotMarkedError("an answer is no log-likelihood as lm-eval saves it")
    return _number(answer[0]), answer[1] == "True"


def _number(value: Json) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise NotMarkedError("a log-likelihood is no number") from error


def _choices(sample: Sample, delimiters: Sequence[str], count: int) -> list[str]:
    """List the choices; in the requests, the delimiter stands before each."""
    written = sample.extra.get("choices")
    if not isinstance(written, list) or len(written) != count or not isinstance(sample.prompt, str):
        raise NotMarkedError("the choices were not saved, or each has a prompt of its own")
    for delimiter in delimiters:
        if all(each.startswith(delimiter) for each in written):
            return [each.removeprefix(delimiter) for each in written]
    raise NotMarkedError("what stands before a choice is not what the task's definition says")


def _index(target: Json, choices: Sequence[str]) -> int:
    """Find the choice that a target names, by number or by text; -1 when it is none."""
    if not isinstance(target, str) or target.startswith("["):
        raise NotMarkedError("a target may be a list of several: the record does not tell")
    by_text = choices.index(target) if target in choices else None
    by_number = int(target) if re.fullmatch(r"\d{1,9}", target) else None
    if by_text is not None and by_number is not None and by_text != by_number:
        raise NotMarkedError("a target may be a choice's number or its text: the record does not tell")
    found = by_number if by_number is not None else by_text
    return found if found is not None and found < len(choices) else -1


def _largest(values: Sequence[float]) -> int:
    """Find the first of the largest, as `numpy.argmax` does: `nan` is larger than all."""
    undefined = next((index for index, value in enumerate(values) if math.isnan(value)), None)
    return undefined if undefined is not None else max(range(len(values)), key=values.__getitem__)
