"""Some of the samples that are not the same, quoted in GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, zip_longest

from reprokit.bundle.values import Json
from reprokit.diff.difference import SampleChange, TaskSamples
from reprokit.diff.shown.legible import printable, quoted, shorten, shorten_both
from reprokit.diff.shown.markup import details, fenced, fitting, legible
from reprokit.diff.shown.said import as_it_came, marks_that_differ, said
from reprokit.diff.shown.text_changes import changed_lines
from reprokit.diff.shown.words import ARROW, count

_MOST = 10
_MOST_LINES = 30
_WIDTH = 100
_NAME = 60


def quoted_samples(tasks: list[TaskSamples], room: int) -> str:
    """Fold away a few samples of each task, whole ones, in at most so many characters; say how many are left out."""
    differing = sum(task.differing + task.only_in_a + task.only_in_b for task in tasks)
    chosen = [change for turn in zip_longest(*(task.shown for task in tasks)) for change in turn if change is not None]
    if not chosen:
        return ""
    kept: list[str] = []
    number_kept = 0
    for change in chosen[:_MOST]:
        lines = [*([""] if kept else []), *map(legible, _sample(change))]
        fits, left_out = fitting([*kept, *lines], room)
        if left_out:
            break
        kept, number_kept = fits, number_kept + 1
    summary = f"Samples: {number_kept} of {differing} that are not the same"
    if not kept:
        return details(summary, f"{count(len(chosen[:_MOST]), 'sample')} left out: there is no room for them.")
    legend = "[-only in a-], {+only in b+}"
    return details(summary, f"`{legend}`\n\n{fenced(kept, 'text')}")


def _sample(change: SampleChange) -> Iterator[str]:
    if change.a is None or change.b is None:
        yield f"{_title(change)}: only in {'b' if change.a is None else 'a'}"
        return
    yield f"{_title(change)}: {', '.join(change.changed)}"
    for stage in change.changed:
        if stage == "score":
            yield f"  score: {shorten(marks_that_differ(change.a, change.b), 2 * _WIDTH)}"
        elif stage != "answer" or not as_it_came(change.a, change.b):
            yield f"  {stage}:"
            yield from _texts(said(change.a, stage), said(change.b, stage))


def _title(change: SampleChange) -> str:
    words = [shorten(printable(change.task), _NAME), f"id {shorten(quoted(change.id), _NAME)}"]
    if change.id_in_b is not None:
        words.append(f"in b {shorten(quoted(change.id_in_b), _NAME)}")
    if change.filter is not None:
        words.append(shorten(printable(change.filter), _NAME))
    if change.epoch > 1:
        words.append(f"epoch {change.epoch}")
    if change.occurrence > 1:
        words.append(f"occurrence {change.occurrence}")
    return ", ".join(words)


def _texts(one: Json, other: Json) -> Iterator[str]:
    if not isinstance(one, str) or not isinstance(other, str):
        yield f"    {ARROW.join(shorten_both(quoted(one), quoted(other), _WIDTH))}"
        return
    lines = changed_lines(one, other, width=_WIDTH)
    yield from (f"    {line}" for line in islice(lines, _MOST_LINES))
    rest = sum(1 for _ in lines)
    if rest:
        yield f"    … {count(rest, 'more line')}"
