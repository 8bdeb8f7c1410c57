"""The words in which a comparison is told, the same in every form it takes."""

from __future__ import annotations

from reprokit.bundle.values import Score, as_number
from reprokit.diff.difference import Inference, Origin, ScoreRow, Status, Waterfall
from reprokit.diff.scores.outcome import is_worse

WIDTH = 100
ARROW = " → "
STATUS: dict[Status, str] = {
    "comparable": "comparable",
    "partly": "partly comparable",
    "not": "not comparable",
    "unknown": "not known to be comparable",
}
ORIGIN: dict[Origin, str] = {
    "document": "the document",
    "prompt": "the prompt",
    "target": "the target",
    "response": "the response",
    "answer": "answer extraction",
    "score": "scoring",
    "unknown": "no known stage",
    "other samples": "samples that only one has",
}
_HUNDREDTHS = 100.0


def count(amount: int, word: str) -> str:
    """Write a number of things."""
    return f"{amount} {word}" if amount == 1 else f"{amount} {word}s"


def _is_share(score: Score | None) -> bool:
    value = as_number(score)
    return value is not None and 0 <= value <= 1


def is_share(row: ScoreRow) -> bool:
    """Tell whether a score is a share of one on both sides: its differences are told in points, hundredths."""
    return row.a is not None and row.b is not None and _is_share(row.a.value) and _is_share(row.b.value)


def amount(value: float, *, share: bool) -> str:
    """Write a difference with its sign: in points for shares of one, else in the score's own units."""
    if not share:
        return f"{value:+.3g}"
    points = value * _HUNDREDTHS
    return f"{points:+.1f}" if abs(points) >= 1 or points == 0 else f"{points:+.2g}"


def unit(*, share: bool) -> str:
    """Name the unit of `amount`, as it stands behind a number."""
    return " points" if share else ""


def come_from(split: Waterfall, *, share: bool) -> str:
    """Say where a difference comes from: `of -4.1 points, -3.9 from answer extraction (39 samples), …`."""
    steps = sorted((step for step in split.steps if step.share), key=lambda step: -abs(step.share))
    told = [
        f"{amount(step.share, share=share)} from {ORIGIN[step.origin]} ({count(step.samples, 'sample')})"
        for step in steps
    ]
    whole = f"of {amount(split.difference, share=share)}{unit(share=share)}"
    return f"{whole}, {', '.join(told)}" if told else f"{whole}, nothing comes from samples that differ"


def sense(row: ScoreRow) -> str:
    """Say which way a difference goes: `, better`, `, worse`, or nothing where nobody said."""
    worse = is_worse(row)
    return "" if worse is None else ", worse" if worse else ", better"


def probability(value: float) -> str:
    """Write a p-value."""
    return "<0.0001" if value < 1e-4 else f"{value:.2g}"  # noqa: PLR2004 - four places are enough


def grouped(found: Inference) -> str | None:
    """Say what samples were grouped by, if by anything."""
    if found.clusters is None:
        return None
    effect = f", design effect {found.design_effect:.2g}" if found.design_effect is not None else ""
    return f"{count(found.n or 0, 'sample')} in {count(found.clusters, 'group')} by {found.clustered_by}{effect}"
