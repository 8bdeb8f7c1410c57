"""A comparison as a comment on a pull request, in GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from reprokit.bundle import canonical
from reprokit.diff.difference import (
    Change,
    CodeChange,
    Comparability,
    Compared,
    Difference,
    Flips,
    TaskComparability,
    TaskSamples,
)
from reprokit.diff.shown.legible import shorten_both, value
from reprokit.diff.shown.markup import code, details, fenced, fitting, legible, prose
from reprokit.diff.shown.quoted_samples import quoted_samples
from reprokit.diff.shown.score_table import score_table, where_from
from reprokit.diff.shown.words import ARROW, STATUS, count

LONGEST = 60_000
"""Characters of a comment at most; GitHub takes 65,536."""

_LONGEST_PAGE = 36_000
_LONGEST_PATCH = 12_000
_LIMITS = (40, 20, 10, 5, 2, 0)
_SENTENCE = 600
_NAME = 60
_VALUE = 60
_NOTE = 120
_ROOM_FOR_WORDS = 300
_DEFINITION = ", definition "
_Item = TypeVar("_Item")


def markdown(difference: Difference) -> str:
    """Write a comparison as a comment of at most `LONGEST` characters, ending in a newline.

    What has no room is left out and said to be: samples before all else, then the end of the patch, of long lists, and
    of long texts.
    """
    page = ""
    for most in _LIMITS:
        page = "\n\n".join(_page(difference, most))
        if len(page) <= _LONGEST_PAGE:
            break
    patch = _patch(difference.code, min(LONGEST - len(page) - _ROOM_FOR_WORDS, _LONGEST_PATCH))
    samples = quoted_samples(difference.samples, LONGEST - len(page) - len(patch) - _ROOM_FOR_WORDS)
    return "\n\n".join(filter(None, [page, samples, patch])) + "\n"


def _page(difference: Difference, most: int) -> Iterator[str]:
    """Write all that is not folded away, of every list at most so many entries."""
    yield f"**{prose(difference.headline, width=_SENTENCE)}**"
    yield f"a: {_compared(difference.a)}<br>\nb: {_compared(difference.b)}"
    yield from _comparability(difference.comparability, most)
    yield from score_table(difference, most)
    yield from _set_up(difference, most)
    yield from where_from(difference, most)
    yield from _samples(difference.samples, most)


def _compared(side: Compared) -> str:
    models = ", ".join(code(name, width=_NAME) for name in side.models[:3])
    return f"{code(side.bundle_id, width=2 * _NAME)}, {code(side.harness, width=_NAME)}" + (models and f", {models}")


def _section(title: str, items: Sequence[_Item], write: Callable[[_Item], str], most: int, rest: str) -> Iterator[str]:
    """Write a titled list, if there is anything to list; `rest` names in the singular what is left out."""
    if items:
        entries = [write(item) for item in items[:most]]
        if len(entries) < len(items):
            entries.append(f"… and {count(len(items) - len(entries), f'more {rest}')}")
        yield f"#### {title}\n\n" + "\n".join(f"- {entry}" for entry in entries)


def _comparability(found: Comparability, most: int) -> Iterator[str]:
    yield f"{STATUS[found.status].capitalize()}: {prose(found.reason, width=_SENTENCE)}"
    apart = [task for task in found.tasks if task.status != "comparable"]
    if found.status != "comparable" and len({task.reason for task in found.tasks}) > 1:
        yield from _section("Tasks that are not simply comparable", apart, _apart, most, "task")


def _apart(task: TaskComparability) -> str:
    return f"{code(task.task, width=_NAME)}: {STATUS[task.status]}, {prose(task.reason, width=2 * _NOTE)}"


def _set_up(difference: Difference, most: int) -> Iterator[str]:
    changes = difference.setup
    listed = [change for change in changes if change.effect != "unlikely"]
    yield from _section("What changed in the set-up", _alike(listed), _change, most, "change")
    unlikely = len(changes) - len(listed)
    words = [
        f"{count(unlikely, 'change')} unlikely to move a score" if unlikely else "",
        f"{count(len(difference.not_compared), 'fact')} not compared" if difference.not_compared else "",
        f"{count(len(difference.ignored), 'fact')} ignored as noise" if difference.ignored else "",
    ]
    told = ", ".join(filter(None, words))
    whole = told if changes else f"no change{told and ', '}{told}"
    if whole:
        yield f"{'Set-up' if not listed else 'Besides'}: {whole}."


def _alike(changes: list[Change]) -> list[list[Change]]:
    """Bring together what changed in the same way in several tasks."""
    found: dict[bytes, list[Change]] = {}
    for change in changes:
        part = _of_task(change)
        key = [
            change.area,
            change.name if part is None else part,
            part is None,
            change.kind,
            change.before,
            change.after,
        ]
        found.setdefault(canonical.line(key), []).append(change)
    return list(found.values())


def _of_task(change: Change) -> str | None:
    """Name the part of a task's definition that changed; `None` when it is about something else."""
    if change.area != "tasks" or ", " not in change.name:
        return None
    _, found, field = change.name.partition(_DEFINITION)
    return field if found else change.name.rpartition(", ")[2]


def _change(alike: list[Change]) -> str:
    change = alike[0]
    part = _of_task(change)
    name = code(change.name if part is None or len(alike) == 1 else part, width=_NAME)
    where = change.area if len(alike) == 1 else f"{len(alike)} tasks"
    note = f" ({prose(change.note, width=_NOTE)})" if change.note else ""
    why = f": {prose(change.why, width=_NOTE)}" if change.why else ""
    return f"{change.effect}: {name} ({prose(where, width=_NAME)}) {_values(change)}{note}{why}"


def _values(change: Change) -> str:
    if change.kind == "added":
        return f"added {code(value(change.after), width=_VALUE)}"
    if change.kind == "removed":
        return f"removed {code(value(change.before), width=_VALUE)}"
    return ARROW.join(map(code, shorten_both(value(change.before), value(change.after), _VALUE)))


def _samples(tasks: list[TaskSamples], most: int) -> Iterator[str]:
    compared = sum(task.compared for task in tasks)
    identical = sum(task.identical for task in tasks)
    told = [task for task in tasks if _is_worth_a_line(task)]
    yield from _section(f"Samples: {identical} of {compared} identical", told, _task, most, "task")


def _is_worth_a_line(task: TaskSamples) -> bool:
    return bool(task.differing or task.only_in_a or task.only_in_b or task.flips)


def _task(task: TaskSamples) -> str:
    words = [
        f"{task.compared} compared, {task.differing} differ",
        f"{task.only_in_a} only in a" if task.only_in_a else "",
        f"{task.only_in_b} only in b" if task.only_in_b else "",
        *(_flip(flips) for flips in task.flips if flips.right_to_wrong or flips.wrong_to_right),
    ]
    return f"{code(task.task, width=_NAME)}: {'; '.join(filter(None, words))}"


def _flip(flips: Flips) -> str:
    named = " ".join(code(name, width=_NAME) for name in (flips.metric, flips.filter) if name is not None)
    return f"{named} {flips.right_to_wrong} right → wrong, {flips.wrong_to_right} wrong → right"


def _patch(changes: list[CodeChange], room: int) -> str:
    """Fold away what changed in the code, in at most so many characters."""
    if not changes:
        return ""
    kept, left_out = fitting((legible(line) for change in changes for line in _lines(change)), room)
    parts = [fenced(kept, "diff")] if kept else []
    if left_out:
        parts.append(f"{count(left_out, 'more line')} left out.")
    files = sum(len(change.files) for change in changes)
    summary = f"Code: {count(files, 'file')} changed in {count(len(changes), 'checkout')}"
    return details(summary, "\n\n".join(parts))


def _lines(change: CodeChange) -> Iterator[str]:
    unknown = ": what changed is not known" if change.learnt_from == "nothing" else ""
    yield f"# {change.name}{unknown}" + (f": {change.reason}" if change.reason else "")
    if change.patch is None:
        for file in change.files:
            lines = "" if file.added is None else f" +{file.added} -{file.removed}"
            yield f"# {file.kind} {file.path}{lines}"
    else:
        yield from change.patch.removesuffix("\n").split("\n")
