"""Margins, held against a run before it is made again: a mistyped metric must not be found hours later."""

from __future__ import annotations

from reprokit.diff.difference import Asked
from reprokit.diff.scores import margins
from reprokit.diff.scores.rows import Naming, score_rows
from reprokit.diff.side import Side


def require_margins(original: Side, asked: Asked) -> None:
    """Refuse a margin that is for no metric of the original, or within which every share of one lies.

    Raises:
        UsageError: there is one.
    """
    alike = Naming(tasks={}, filter_of=lambda _, filter_: filter_)
    margins.require_margins(asked, score_rows(original.results, original.results, alike))
