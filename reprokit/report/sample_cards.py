"""Samples as cards: what each side saved, stage by stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec import Struct

from reprokit.bundle.sample import Medium
from reprokit.bundle.values import Json
from reprokit.diff.difference import STAGES, Difference, Said, SampleChange, Stage, Turn
from reprokit.report.embedded_pictures import Picture, PictureBook
from reprokit.report.legible_value import score
from reprokit.report.two_texts import Beside, beside
from reprokit.report.waterfall_plot import NAMES

MOST_OF_A_FIELD = 20_000
_LEAST_OF_A_FIELD = 1_000
_MOST_OF_ALL = 20_000_000

_SAID: dict[Stage, Callable[[Said], Json]] = {
    "document": lambda said: said.document,
    "prompt": lambda said: said.prompt,
    "target": lambda said: said.target,
    "response": lambda said: said.responses or None,
    "answer": lambda said: said.answer,
}


class Chip(Struct, frozen=True, kw_only=True):
    """A stage of a sample."""

    label: str
    differs: bool
    first: bool


class Field(Struct, frozen=True, kw_only=True):
    """What both sides saved of one stage."""

    label: str
    differs: bool
    texts: Beside


class Marked(Struct, frozen=True, kw_only=True):
    """A score of a sample on both sides."""

    metric: str
    a: str
    b: str
    differs: bool
    turn: Turn | None


class SampleCard(Struct, frozen=True, kw_only=True):
    """One sample on a page."""

    number: int
    task: str
    change: SampleChange
    first: str
    outcomes: list[str]
    chips: list[Chip]
    fields: list[Field]
    scores: list[Marked]
    shared_pictures: list[Picture]
    a_pictures: list[Picture]
    b_pictures: list[Picture]


def cards(difference: Difference, book: PictureBook) -> list[SampleCard]:
    """Make a card of every sample that the comparison shows, in its order."""
    shown = [(task.task, change) for task in difference.samples for change in task.shown]
    most = max(_LEAST_OF_A_FIELD, min(MOST_OF_A_FIELD, _MOST_OF_ALL // max(len(shown), 1)))
    return [_card(number, task, change, book, most) for number, (task, change) in enumerate(shown, 1)]


def outcomes(change: SampleChange) -> list[str]:
    """Say what became of a sample's scores, in the words that samples are filtered by."""
    if change.a is None:
        return ["only in b"]
    if change.b is None:
        return ["only in a"]
    turns = sorted(set(change.turned.values()))
    return [*turns] or (["same score"] if change.a.scores == change.b.scores else ["other change of score"])


def _card(number: int, task: str, change: SampleChange, book: PictureBook, most: int) -> SampleCard:
    one, other = (side.media if side else [] for side in (change.a, change.b))
    shared = one if one == other or change.b is None else other if change.a is None else []
    return SampleCard(
        number=number,
        task=task,
        change=change,
        first=change.first,
        outcomes=outcomes(change),
        chips=[
            Chip(label=NAMES[stage], differs=stage in change.changed, first=stage == change.first) for stage in STAGES
        ],
        fields=list(_fields(change, most)),
        scores=list(_scores(change)),
        shared_pictures=_pictures(shared, book),
        a_pictures=[] if shared else _pictures(one, book),
        b_pictures=[] if shared else _pictures(other, book),
    )


def _pictures(media: list[Medium], book: PictureBook) -> list[Picture]:
    return [book.picture(medium) for medium in media]


def _fields(change: SampleChange, most: int) -> Iterable[Field]:
    for stage, read in _SAID.items():
        one, other = (read(side) if side else None for side in (change.a, change.b))
        if one is not None or other is not None:
            yield Field(label=NAMES[stage], differs=stage in change.changed, texts=beside(one, other, most))


def _scores(change: SampleChange) -> Iterable[Marked]:
    before, after = (side.scores if side else {} for side in (change.a, change.b))
    for metric in sorted(before.keys() | after.keys()):
        one, other = before.get(metric), after.get(metric)
        yield Marked(metric=metric, a=score(one), b=score(other), differs=one != other, turn=change.turned.get(metric))
