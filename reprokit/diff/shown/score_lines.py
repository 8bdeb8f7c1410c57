"""The scores of a comparison, as lines of a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reprokit.diff.difference import Difference, Inference, Mark, ScoreRow
from reprokit.diff.scores.outcome import is_of_all
from reprokit.diff.shown.legible import number, printable, shorten
from reprokit.diff.shown.words import amount, come_from, count, grouped, is_share, probability, sense

_MOST_ROWS = 24
_MOST_ORIGINS = 8
_NAME = 30
_NAMED = 2  # the first columns are names, and are cut before numbers are
_WIDTH = 48
_ABSENT = "absent"
_OTHERWISE = "differs in its details"


def score_lines(difference: Difference, *, everything: bool) -> Iterator[str]:
    """Write the scores of both sides in a table, and what can be said of their differences."""
    rows = difference.scores
    if not rows:
        return
    differing = [row for row in rows if not row.same]
    alone = sum(row.a is None or row.b is None for row in rows)
    told = f"{len(differing) - alone} of {len(rows) - alone} differ" if len(rows) > alone else "none in common"
    only = f", {alone} in only one of them" if 0 < alone < len(rows) else ""
    yield f"scores: {told}{only}" if differing else "scores: all equal"
    shown = rows if everything or len(rows) <= _MOST_ROWS else differing[:_MOST_ROWS]
    yield from _table(shown)
    if len(shown) < len(rows):
        yield f"  … and {len(rows) - len(shown)} more: `--all` shows them"
    yield from _methods(differing)
    yield from _untested(differing)


def _table(rows: list[ScoreRow]) -> Iterator[str]:
    lines = [_titles(), *(_cells(row) for row in rows)]
    if not any(row.filter is not None for row in rows):
        lines = [[*line[:2], *line[3:]] for line in lines]
    empty = [column for column in range(len(lines[0])) if not any(line[column] for line in lines[1:])]
    kept = [column for column in range(len(lines[0])) if column not in empty]
    widest = {column: _NAME if column < _NAMED else _WIDTH for column in kept}
    widths = {column: min(max(len(line[column]) for line in lines), widest[column]) for column in kept}
    for line in lines if rows else []:
        cells = [f"{shorten(line[column], widths[column]):{widths[column]}}" for column in kept]
        yield ("  " + "  ".join(cells)).rstrip()


def _titles() -> list[str]:
    return ["task", "metric", "filter", "a", "b", "b - a", "95 % interval", "p (Holm)", "finds", ""]


def _cells(row: ScoreRow) -> list[str]:
    task = f"{row.task} (group)" if row.group else row.task
    names = [printable(text) for text in (task, row.metric, row.filter or "")]
    return [*names, _mark(row.a), _mark(row.b), _difference(row), *_said(row)]


def _said(row: ScoreRow) -> list[str]:
    found = row.inference
    if found is None or row.same or row.difference == 0:
        return ["", "", "", ""]
    share = is_share(row)
    interval = "not known"
    if found.interval is not None:
        interval = f"{amount(found.interval.low, share=share)} to {amount(found.interval.high, share=share)}"
    if not is_of_all(row):
        interval = f"{amount(found.difference, share=share)} in common: {interval}"
    p = "" if found.p_adjusted is None else probability(found.p_adjusted)
    finds = _finds(found.detectable, share=share)
    return [interval, p, finds, row.outcome]


def _finds(detectable: float | None, *, share: bool) -> str:
    if detectable is None:
        return ""
    # No two shares of one are further apart than one.
    return "nothing" if share and detectable > 1 else f"±{amount(detectable, share=share).lstrip('+')}"


def _mark(mark: Mark | None) -> str:
    if mark is None:
        return _ABSENT
    error = f" ± {mark.stderr:.3g}" if isinstance(mark.stderr, int | float) else ""
    return number(mark.value) + error


def _difference(row: ScoreRow) -> str:
    if row.same:
        return "="
    if row.difference is None:
        return row.reason or "differs"
    if row.difference == 0:
        return _OTHERWISE
    share = is_share(row)
    written = f"{amount(row.difference, share=True)} points" if share else f"{row.difference:+.6g}"
    return f"{written}{sense(row)}"


def _methods(rows: list[ScoreRow]) -> Iterator[str]:
    """Say by which tests, over how many samples."""
    found = [row.inference for row in rows if row.inference is not None and row.inference.test is not None]
    if not found:
        return
    tests = Counter(each.test or "" for each in found)
    told = ", ".join(test if len(tests) == 1 else f"{test} ({times})" for test, times in tests.items())
    pairs = sorted({each.n for each in found if each.n is not None})
    over = (
        ""
        if not pairs
        else f" over {count(pairs[-1], 'pair')}"
        if len(pairs) == 1
        else f" over {pairs[0]} to {pairs[-1]} pairs"
    )
    finds = any(each.detectable is not None for each in found)
    legend = "; `finds`: what would be found with a probability of 80 %" if finds else ""
    yield f"  tested by {told}{over}{legend}"
    yield from (f"  {line}" for line in dict.fromkeys(filter(None, map(grouped, found))))
    yield from _margins(found)


def _margins(found: list[Inference]) -> Iterator[str]:
    margins = sorted({each.equivalence.margin for each in found if each.equivalence is not None})
    within = sum(each.equivalence is not None and each.equivalence.equivalent for each in found)
    if margins:
        named = ", ".join(f"{margin:g}" for margin in margins)
        yield f"  equivalent within {named}: {within} of {len(found)}, by two one-sided tests"


def _untested(rows: list[ScoreRow]) -> Iterator[str]:
    reasons = Counter(row.untested for row in rows if row.untested is not None and row.a and row.b)
    yield from (f"  {count(times, 'score')} not tested: {reason}" for reason, times in reasons.items())
    notes = Counter(row.inference.note for row in rows if row.inference is not None and row.inference.note)
    yield from (f"  {count(times, 'score')}: {note}" for note, times in notes.items())


def origin_lines(difference: Difference, *, everything: bool) -> Iterator[str]:
    """Say where each difference begins: a waterfall in a line."""
    rows = {(row.task, row.metric, row.filter): row for row in difference.scores if not row.group}
    found = [(task.task, split) for task in difference.samples for split in task.waterfalls]
    told = [(task, split) for task, split in found if split.steps]
    if not told:
        return
    yield "where it begins:"
    told.sort(key=lambda item: -abs(item[1].difference))
    for task, split in told if everything else told[:_MOST_ORIGINS]:
        row = rows.get((task, split.metric, split.filter))
        extraction = "" if split.filter is None else f" {printable(split.filter)}"
        name = shorten(f"{printable(task)} {printable(split.metric)}{extraction}", _NAME + 10)
        yield f"  {name}: {come_from(split, share=row is not None and is_share(row))}"
    if not everything and len(told) > _MOST_ORIGINS:
        yield f"  … and {len(told) - _MOST_ORIGINS} more: `--all` shows them"
