"""Margins that a person gives, held against the scores they are for."""

from __future__ import annotations

from collections.abc import Sequence

from reprokit.bundle.values import as_number
from reprokit.diff.difference import Asked, Mark, ScoreRow
from reprokit.errors import UsageError


def margin_of(metric: str, asked: Asked) -> float | None:
    """Give the margin of a metric: its own, else that of all."""
    return asked.margins.get(metric, asked.margin)


def _is_share(mark: Mark | None) -> bool:
    value = None if mark is None else as_number(mark.value)
    return value is not None and 0 <= value <= 1


def require_margins(asked: Asked, rows: Sequence[ScoreRow]) -> None:
    """Refuse a margin that is for no metric, or within which every share of one lies.

    Raises:
        UsageError: there is one.
    """
    metrics = {row.metric for row in rows}
    unknown = sorted(set(asked.margins) - metrics)
    if unknown:
        there = ", ".join(f"`{metric}`" for metric in sorted(metrics)) or "none"
        raise UsageError(f"`--margin {unknown[0]}=…`: there is no such metric", hint=f"there are {there}")
    for row in rows:
        margin = margin_of(row.metric, asked)
        if margin is not None and margin >= 1 and _is_share(row.a) and _is_share(row.b):
            raise UsageError(
                f"a margin of {margin:g} holds every difference of `{row.metric}`, which lies between 0 and 1",
                hint=f"for {margin:g} points give `--margin {row.metric}={margin / 100:g}`",
            )
