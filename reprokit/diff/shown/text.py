"""A comparison for the terminal: the verdict first, then why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby

from reprokit.diff.difference import (
    Change,
    Comparability,
    Difference,
    Flips,
    Ignored,
    Mark,
    NotCompared,
    SampleChange,
    ScoreRow,
    Status,
    TaskSamples,
)
from reprokit.diff.shown.legible import number, printable, quoted, shorten, shorten_both, value

WIDTH = 100
_MOST_CHANGES = 12
_MOST_ROWS = 24
_MOST_AREAS = 4
_MOST_SAMPLES = 5
_NAME = 34
_STATUS: dict[Status, str] = {
    "comparable": "comparable",
    "partly": "partly comparable",
    "not": "not comparable",
    "unknown": "not known to be comparable",
}
_ARROW = " → "
_ABSENT = "absent"


def lines(difference: Difference, *, all: bool = False) -> list[str]:  # noqa: A002 - named as the option `--all` is
    """Write a comparison as lines of about 100 characters, without line ends and without control characters.

    Args:
        difference: the comparison.
        all: also list what was ignored, and shorten no list.
    """
    written = [
        f"{difference.verdict}: {difference.reason}",
        f"  a  {difference.a.bundle_id}",
        f"  b  {difference.b.bundle_id}",
        *_section(_comparability(difference.comparability)),
        *_section(_set_up(difference, everything=all)),
        *_section(_scores(difference.scores, everything=all)),
        *_section(_samples(difference.samples, everything=all)),
    ]
    return [printable(line) for line in written]


def _section(found: Iterator[str]) -> list[str]:
    section = list(found)
    return ["", *section] if section else []


def _count(amount: int, word: str) -> str:
    return f"{amount} {word}" if amount == 1 else f"{amount} {word}s"


def _comparability(found: Comparability) -> Iterator[str]:
    yield f"{_STATUS[found.status]}: {found.reason}"
    if found.status != "comparable" and len({task.reason for task in found.tasks}) > 1:
        width = _width([task.task for task in found.tasks], _NAME)
        for task in found.tasks:
            yield f"  {shorten(task.task, width):{width}}  {_STATUS[task.status]}: {task.reason}"


def _width(cells: list[str], most: int) -> int:
    return min(max((len(cell) for cell in cells), default=0), most)


def _set_up(difference: Difference, *, everything: bool) -> Iterator[str]:
    changes = difference.setup
    yield f"set-up: {_count(len(changes), 'change')}" if changes else "set-up: no change"
    area = _width([change.area for change in changes], _NAME)
    name = _width([printable(change.name) for change in changes], _NAME)
    for _, group in groupby(changes, key=lambda change: change.area):
        listed = list(group)
        shown = listed if everything else listed[:_MOST_CHANGES]
        for change in shown:
            title = shorten(printable(change.name), name)
            yield f"  {change.area:{area}}  {title:{name}}  {_change(change, area + name)}"
        if len(listed) > len(shown):
            yield f"  {listed[0].area:{area}}  … and {len(listed) - len(shown)} more: `--all` shows them"
    yield from _not_compared(difference.not_compared, everything=everything)
    yield from _ignored(difference.ignored, everything=everything)


def _change(change: Change | Ignored, taken: int) -> str:
    note = f"  ({change.note})" if isinstance(change, Change) and change.note else ""
    room = max(WIDTH - taken - len(note) - len(_ARROW) - 6, 24)
    if change.kind == "added":
        return f"+ {shorten(value(change.after), room)}{note}"
    if change.kind == "removed":
        return f"- {shorten(value(change.before), room)}{note}"
    return _ARROW.join(shorten_both(value(change.before), value(change.after), room // 2)) + note


def _not_compared(found: list[NotCompared], *, everything: bool) -> Iterator[str]:
    if not found:
        return
    if not everything:
        sides = Counter("neither" if item.unknown_in == "both" else "only one" for item in found)
        words = ", ".join(f"{count} known of {side}" for side, count in sorted(sides.items()))
        areas = list(dict.fromkeys(item.area for item in found))
        areas = areas if len(areas) <= _MOST_AREAS else [*areas[:_MOST_AREAS], "…"]
        yield f"  not compared: {words} ({', '.join(areas)})"
        return
    for item in found:
        name = item.area if item.name == "*" else f"{item.area} {item.name}"
        side = "neither side" if item.unknown_in == "both" else "b" if item.unknown_in == "a" else "a"
        yield f"  not compared: {name}: known of {side if side == 'neither side' else f'{side} only'}: {item.reason}"


def _ignored(found: list[Ignored], *, everything: bool) -> Iterator[str]:
    if not found:
        return
    rules = ", ".join(
        f"{rule} {count}" for rule, count in sorted(Counter(r for item in found for r in item.rules).items())
    )
    yield f"  ignored as noise: {len(found)} ({rules}){'' if everything else '; `--all` shows them'}"
    if everything:
        for item in found:
            yield f"    {item.area} {shorten(printable(item.name), _NAME)}  {_change(item, len(item.area) + _NAME)}"


def _scores(rows: list[ScoreRow], *, everything: bool) -> Iterator[str]:
    if not rows:
        return
    differing = [row for row in rows if not row.same]
    yield "scores: all equal" if not differing else f"scores: {len(differing)} of {len(rows)} differ"
    shown = rows if everything or len(rows) <= _MOST_ROWS else differing[:_MOST_ROWS]
    table = [["task", "metric", "filter", "a", "b", "b - a"], *(_cells(row) for row in shown)]
    widths = [_width([line[column] for line in table], _NAME) for column in range(len(table[0]))]
    for line in table if shown else []:
        cells = [f"{shorten(cell, width):{width}}" for cell, width in zip(line, widths, strict=True)]
        yield ("  " + "  ".join(cells)).rstrip()
    if len(shown) < len(rows):
        yield f"  … and {len(rows) - len(shown)} more: `--all` shows them"


def _cells(row: ScoreRow) -> list[str]:
    task = f"{row.task} (group)" if row.group else row.task
    names = [printable(text) for text in (task, row.metric, row.filter or "")]
    return [*names, _mark(row.a), _mark(row.b), _difference(row)]


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
        return "differs in its details"
    sense = ""
    if row.higher_is_better is not None:
        sense = " better" if (row.difference > 0) == row.higher_is_better else " worse"
    return f"{row.difference:+.6g}{sense}"


def _samples(tasks: list[TaskSamples], *, everything: bool) -> Iterator[str]:
    if not tasks:
        return
    compared, identical = (sum(task.compared for task in tasks), sum(task.identical for task in tasks))
    others = compared - identical - sum(task.differing for task in tasks)
    yield f"samples: {identical} of {compared} identical" + (f", {others} equal in what both saved" if others else "")
    for task in tasks:
        if (
            task.identical < task.compared
            or task.only_in_a
            or task.only_in_b
            or task.repeated_in_a
            or task.repeated_in_b
        ):
            yield f"  {shorten(printable(task.task), _NAME)}: {_counts(task)}"
            yield from (f"    {_flip(flips)}" for flips in task.flips)
            yield from _shown(task, everything=everything)


def _counts(task: TaskSamples) -> str:
    if task.saved_in != "both":
        return f"{_count(task.only_in_a + task.only_in_b, 'sample')} saved by {task.saved_in} only"
    words = [f"{task.compared} compared"]
    if task.differing:
        stages = ", ".join(f"{stage} {count}" for stage, count in task.changed.items())
        words.append(f"{task.differing} differ ({stages})")
    if task.known_by_one:
        stages = ", ".join(f"{stage} {count}" for stage, count in task.known_by_one.items())
        words.append(f"saved by only one: {stages}")
    words += [
        f"{count} {what}"
        for count, what in (
            (task.only_in_a, "only in a"),
            (task.only_in_b, "only in b"),
            (task.repeated_in_a, "repeated in a"),
            (task.repeated_in_b, "repeated in b"),
        )
        if count
    ]
    return ", ".join(words)


def _flip(flips: Flips) -> str:
    return f"{flips.metric}: {flips.right_to_wrong} right → wrong, {flips.wrong_to_right} wrong → right"


def _shown(task: TaskSamples, *, everything: bool) -> Iterator[str]:
    shown = task.shown if everything else task.shown[:_MOST_SAMPLES]
    for change in shown:
        yield from _sample(change)
    if task.differing > len(shown):
        yield f"    … and {_count(task.differing - len(shown), 'more sample')}"


def _sample(change: SampleChange) -> Iterator[str]:
    name = f"id {quoted(change.id)}"
    if change.filter is not None:
        name += f", {change.filter}"
    if change.epoch > 1:
        name += f", epoch {change.epoch}"
    if change.occurrence > 1:
        name += f", occurrence {change.occurrence}"
    yield f"    {shorten(printable(name), WIDTH // 2)}: {', '.join(change.changed)}"
    said = {
        "response": (change.a.responses, change.b.responses),
        "answer": (change.a.answer, change.b.answer),
    }
    for stage, (one, other) in said.items():
        if stage in change.changed and not (stage == "answer" and _as_it_came(change)):
            half = (WIDTH - len(_ARROW) - 18) // 2
            yield f"      {stage:8}  {_ARROW.join(shorten_both(quoted(one), quoted(other), half))}"
    if "score" in change.changed:
        yield f"      score     {shorten(_marks(change), WIDTH - 16)}"


def _as_it_came(change: SampleChange) -> bool:
    """Tell whether the answers say the same as the responses above them."""
    return all(quoted(side.responses) == quoted(side.answer) for side in (change.a, change.b))


def _marks(change: SampleChange) -> str:
    words = []
    for name in sorted(change.a.scores.keys() | change.b.scores.keys()):
        one, other = change.a.scores.get(name), change.b.scores.get(name)
        if one != other:
            before, after = (_ABSENT if score is None else number(score) for score in (one, other))
            words.append(f"{printable(name)} {before}{_ARROW}{after}")
    return ", ".join(words)
