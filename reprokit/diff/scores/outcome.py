"""Whether the difference of a score matters."""

from __future__ import annotations

from collections.abc import Sequence

from reprokit.diff.difference import Asked, Outcome, ScoreRow


def is_beyond_chance(row: ScoreRow, asked: Asked) -> bool:
    """Tell whether chance in the choice of samples does not explain a difference, after Holm's adjustment."""
    found = row.inference
    return found is not None and found.p_adjusted is not None and found.p_adjusted < 1 - asked.level


def outcome(row: ScoreRow, asked: Asked) -> Outcome:
    """Judge a score that has its inference, if there is any.

    A difference within the margin is equivalent, even if it is beyond chance. One that nothing can be tested with is
    different: that the numbers differ is all that is known.
    """
    if row.same:
        return "same"
    if row.a is None or row.b is None or (row.untested or "").startswith("not comparable"):
        return "not compared"
    found = row.inference
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
    """List the scores that got worse, by more than chance or the margin explains, or that b no longer has.

    Where nobody said which way is better, every such difference is one.
    """
    return [
        row
        for row in rows
        if (row.outcome == "different" and is_worse(row) is not False) or (row.a is not None and row.b is None)
    ]
