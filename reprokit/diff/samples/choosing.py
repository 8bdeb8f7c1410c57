"""Which of the samples that differ are shown: `--where`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from reprokit.diff.difference import STAGES, Origin, Stage, Turn
from reprokit.errors import UsageError


class Candidate(NamedTuple):
    """What is known of a sample that differs, without its texts."""

    id: int | str
    id_in_b: int | str
    changed: tuple[Stage, ...]
    first: Origin
    turned: frozenset[Turn]
    only_in: str | None


Condition = Callable[[Candidate], bool]

_WORDS: dict[str, Condition] = {
    "right-to-wrong": lambda sample: "right to wrong" in sample.turned,
    "wrong-to-right": lambda sample: "wrong to right" in sample.turned,
    "flipped": lambda sample: bool(sample.turned),
    "same-score": lambda sample: sample.only_in is None and "score" not in sample.changed,
    "only-in-a": lambda sample: sample.only_in == "a",
    "only-in-b": lambda sample: sample.only_in == "b",
}
_ORIGINS = (*STAGES, "unknown")
_SPELLINGS = {"extraction": "answer"}
CHOICES = (*_WORDS, "first=STAGE", "changed=STAGE", "id=ID")
"""What may be asked for; `STAGE` is one of the six stages."""


def _stage(text: str, among: Sequence[str], asked: str) -> str:
    stage = _SPELLINGS.get(text, text)
    if stage not in among:
        raise UsageError(f"`--where {asked}`: there is no stage `{text}`", hint=f"stages are {', '.join(among)}")
    return stage


def condition(asked: str) -> Condition:
    """Read one condition.

    Raises:
        UsageError: it is none.
    """
    if asked in _WORDS:
        return _WORDS[asked]
    name, equals, text = asked.partition("=")
    if equals and name == "id":
        return lambda sample: text in {str(sample.id), str(sample.id_in_b)}
    if equals and name == "first":
        origin = _stage(text, _ORIGINS, asked)
        return lambda sample: sample.first == origin
    if equals and name == "changed":
        stage = _stage(text, STAGES, asked)
        return lambda sample: stage in sample.changed
    raise UsageError(f"`--where {asked}` is no condition", hint=f"conditions are {', '.join(CHOICES)}")


def conditions(asked: Sequence[str]) -> Condition:
    """Read several conditions, which must all hold.

    Raises:
        UsageError: one of them is none.
    """
    read = [condition(text) for text in asked]
    return lambda sample: all(holds(sample) for holds in read)
