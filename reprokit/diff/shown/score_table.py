"""The scores of a comparison, as a table in GitHub's Markdown, and where their differences come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reprokit.diff.difference import Difference, Inference, Mark, ScoreRow
from reprokit.diff.scores.outcome import is_of_all
from reprokit.diff.shown.legible import number
from reprokit.diff.shown.markup import code, prose
from reprokit.diff.shown.words import amount, come_from, count, grouped, is_share, probability, sense, unit

_NAME = 60
_REASON = 120


def score_table(difference: Difference, most: int) -> Iterator[str]:
    """Write a table of scores with at most so many rows, those that differ first when not all have room."""
    rows = difference.scores
    if not rows:
        return
    differing = [row for row in rows if not row.same]
    shown = rows if len(rows) <= most else differing[:most]
    level = f"{difference.asked.level * 100:g} %"
    title = "all equal" if not differing else f"{len(differing)} of {len(rows)} differ"
    yield f"#### Scores: {title}"
    if shown:
        head = ["task", "metric", "a", "b", f"b - a [{level} interval]", "p (Holm)", "verdict"]
        yield "\n".join(_line(cells) for cells in [head, ["---"] * len(head), *map(_cells, shown)])
    notes = list(_notes(differing, most))
    if len(shown) < len(rows):
        notes.insert(0, f"{count(len(rows) - len(shown), 'more score')}, of which {_rest(rows, shown)} differ")
    if notes:
        yield "\n".join(f"- {note}" for note in notes)


def _rest(rows: list[ScoreRow], shown: list[ScoreRow]) -> int:
    return sum(not row.same for row in rows) - sum(not row.same for row in shown)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(row: ScoreRow) -> list[str]:
    found = row.inference if not row.same else None
    p = "" if found is None or found.p_adjusted is None else probability(found.p_adjusted).replace("<", "&lt;")
    return [
        _named(row.task, row.in_b.task if row.in_b else None) + (" (group)" if row.group else ""),
        _metric(row),
        _mark(row.a),
        _mark(row.b),
        _difference(row, found),
        p,
        f"{row.outcome}{sense(row) if row.outcome == 'different' else ''}",
    ]


def _named(name: str, in_b: str | None) -> str:
    one = code(name, width=_NAME, in_table=True)
    return one if in_b is None or in_b == name else f"{one} (in b {code(in_b, width=_NAME, in_table=True)})"


def _metric(row: ScoreRow) -> str:
    other = row.in_b
    named = _named(row.metric, other.metric if other else None)
    if row.filter is None and (other is None or other.filter is None):
        return named
    ours = _filter(row.filter)
    theirs = ours if other is None else _filter(other.filter)
    return f"{named} {ours}" if ours == theirs else f"{named} {ours} (in b {theirs})"


def _filter(name: str | None) -> str:
    return "no filter" if name is None else code(name, width=_NAME, in_table=True)


def _mark(mark: Mark | None) -> str:
    if mark is None:
        return "absent"
    error = f" ± {mark.stderr:.3g}" if isinstance(mark.stderr, int | float) else ""
    return prose(number(mark.value), width=_NAME, in_table=True) + error


def _difference(row: ScoreRow, found: Inference | None) -> str:
    if row.same:
        return "="
    if row.difference is None:
        return prose(row.reason or "differs", width=_REASON, in_table=True)
    if row.difference == 0:
        return "differs in its details"
    share = is_share(row)
    written = f"{amount(row.difference, share=share)}{unit(share=share)}"
    if found is None or found.interval is None:
        return written
    low, high = (amount(end, share=share) for end in (found.interval.low, found.interval.high))
    of_pairs = "" if is_of_all(row) else f"{amount(found.difference, share=share)} in common: "
    return f"{written} [{of_pairs}{low} to {high}]"


def _notes(rows: list[ScoreRow], most: int) -> Iterator[str]:
    """Say by which tests, and what keeps more from being said."""
    found = [row.inference for row in rows if row.inference is not None]
    tests = Counter(each.test for each in found if each.test is not None)
    if tests:
        yield "tested by " + ", ".join(f"{prose(test, width=_REASON)} ({times})" for test, times in tests.items())
    groups = dict.fromkeys(filter(None, map(grouped, found)))
    yield from [prose(line, width=_REASON) for line in groups][:most]
    margins = [each.equivalence for each in found if each.equivalence is not None]
    if margins:
        named = ", ".join(f"{margin:g}" for margin in sorted({each.margin for each in margins}))
        within = sum(each.equivalent for each in margins)
        yield f"equivalent within {named}: {within} of {len(found)}, by two one-sided tests"
    reasons = Counter(row.untested for row in rows if row.untested is not None and row.a and row.b)
    reasons += Counter(each.note for each in found if each.note)
    told = [f"{count(times, 'score')}: {prose(reason, width=2 * _REASON)}" for reason, times in reasons.items()]
    yield from told[:most]


def where_from(difference: Difference, most: int) -> Iterator[str]:
    """Say where each difference begins, in the score's units and in samples."""
    rows = {(row.task, row.metric, row.filter): row for row in difference.scores if not row.group}
    found = [(task.task, split) for task in difference.samples for split in task.waterfalls if split.steps]
    found.sort(key=lambda item: -abs(item[1].difference))
    entries = []
    for task, split in found[:most]:
        row = rows.get((task, split.metric, split.filter))
        names = [name for name in (task, split.metric, split.filter) if name is not None]
        told = come_from(split, share=row is not None and is_share(row))
        entries.append(f"{' '.join(code(name, width=_NAME) for name in names)}: {told}")
    if len(found) > most:
        entries.append(f"… and {count(len(found) - most, 'more score')}")
    if found:
        yield "#### Where it begins\n\n" + "\n".join(f"- {entry}" for entry in entries)
