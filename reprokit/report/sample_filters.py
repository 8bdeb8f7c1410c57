"""Filtering samples without a program: radio buttons, and the rules of style that heed them.

Foreign names stand in labels only. A rule knows an option by its number.
"""

from __future__ import annotations

from msgspec import Struct

from reprokit.diff.difference import ORIGINS
from reprokit.report.sample_cards import SampleCard
from reprokit.report.waterfall_plot import NAMES

_OUTCOMES = (
    "right to wrong",
    "wrong to right",
    "other change of score",
    "same score",
    "only in a",
    "only in b",
)


class Option(Struct, frozen=True, kw_only=True):
    """One button; `key` is its id, and a class of the samples that it lets through."""

    key: str
    label: str
    count: int


class Filter(Struct, frozen=True, kw_only=True):
    """A row of buttons of which one is pressed."""

    name: str
    title: str
    options: list[Option]


class Filters(Struct, frozen=True, kw_only=True):
    """All rows of buttons, the classes of each sample, and the rules between them."""

    rows: list[Filter]
    classes: dict[int, str]
    rules: str


def filters(cards: list[SampleCard]) -> Filters:
    """Make the buttons that part the samples; a row with a single option would part nothing and is left out."""
    tasks = list(dict.fromkeys(card.task for card in cards))
    rows = [
        _row("task", "task", {task: task for task in tasks}, [(card, [card.task]) for card in cards]),
        _row(
            "stage",
            "begins to differ in",
            {origin: NAMES[origin] for origin in ORIGINS},
            [(card, [card.first]) for card in cards],
        ),
        _row("outcome", "score", {name: name for name in _OUTCOMES}, [(card, card.outcomes) for card in cards]),
    ]
    kept = [row for row, _ in rows if len(row.options) > 1]
    classes = {card.number: " ".join(key for _, found in rows for key in found[card.number]) for card in cards}
    rules = "".join(
        f".samples:has(#{option.key}:checked) .sample:not(.{option.key}){{display:none}}\n"
        for row in kept
        for option in row.options
    )
    return Filters(rows=kept, classes=classes, rules=rules)


def _row(
    name: str, title: str, labels: dict[str, str], found: list[tuple[SampleCard, list[str]]]
) -> tuple[Filter, dict[int, list[str]]]:
    keys = {value: f"{name}-{number}" for number, value in enumerate(labels, 1)}
    counts = {value: sum(value in values for _, values in found) for value in labels}
    options = [
        Option(key=keys[value], label=label, count=counts[value]) for value, label in labels.items() if counts[value]
    ]
    classes = {card.number: [keys[value] for value in values] for card, values in found}
    return Filter(name=name, title=title, options=options), classes
