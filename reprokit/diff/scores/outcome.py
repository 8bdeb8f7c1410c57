"""Whether the difference of a score matters."""

from __future__ import annotations

from collections.abc import Sequence

from reprokit.bundle.values import as_number
from reprokit.diff.difference import Asked, Outcome, ScoreRow
from reprokit.diff.statistics.interval import alpha_of

_ROUNDING = 1e-6


def is_beyond_chance(row: ScoreRow, asked: Asked) -> bool:
    """Tell whether chance in the choice of samples does not explain a difference, after Holm's adjustment."""
    found = row.inference
    return found is not None and found.p_adjusted is not None and found.p_adjusted < alpha_of(asked.level)


def is_of_all(row: ScoreRow) -> bool:
    """Tell whether what is inferred is about the very difference that is told, and not about a part of the samples."""
    found = row.inference
    if found is None or row.difference is None:
        return True
    allowed = _ROUNDING * max(abs(found.a), abs(found.b))
    return not found.partial or abs(found.difference - row.difference) <= allowed


def outcome(row: ScoreRow, asked: Asked) -> Outcome:
    """Judge a score that has its inference, if there is any.

    A difference within the margin is equivalent, even if it is beyond chance. One that nothing can be tested with is
    different: that the numbers differ is all that is known. So is one of which only a part was tested, since samples
    of only one side are in the score and not in the test.
    """
    if row.same:
        return "same"
    if row.a is None or row.b is None or (row.untested or "").startswith("not comparable"):
        return "not compared"
    found = row.inference
    if row.difference == 0 or not is_of_all(row):
        return "different"
    if found is not None and found.equivalence is not None and found.equivalence.equivalent:
        return "equivalent"
    if found is not None and not is_beyond_chance(row, asked):
        return "inconclusive"
    return "different"


def is_worse(row: ScoreRow) -> bool | None:
    """Tell whether b's score is worse; `None` when nobody said which way is better, or there is no difference."""
    if row.difference is None or row.higher_is_better is None or row.difference == 0:
        return None
    return (row.difference < 0) == row.higher_is_better


def regressions(rows: Sequence[ScoreRow]) -> list[ScoreRow]:
    """List the scores that got worse by more than chance explains, and than the margin, or that b no longer has.

    Where nobody said which way is better, every such difference is one.
    """
    return [row for row in rows if _is_gone(row) or _got_worse(row)]


def _is_gone(row: ScoreRow) -> bool:
    before, after = (None if mark is None else as_number(mark.value) for mark in (row.a, row.b))
    return before is not None and after is None


def _got_worse(row: ScoreRow) -> bool:
    newly_scored = row.a is not None and as_number(row.a.value) is None
    return row.outcome == "different" and is_worse(row) is not False and not newly_scored
