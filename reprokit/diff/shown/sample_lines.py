"""The samples of a comparison, as lines of a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.bundle.values import Json
from reprokit.diff.difference import STAGES, Difference, Flips, Said, SampleChange, Stage, TaskSamples
from reprokit.diff.shown.legible import printable, quoted, shorten, shorten_both
from reprokit.diff.shown.said import ABSENT, as_it_came, marks_that_differ, said
from reprokit.diff.shown.text_changes import changed_lines
from reprokit.diff.shown.words import ARROW, WIDTH, count

_MOST_SAMPLES = 5
_NAME = 34
_NOT_KEPT = "(not kept)"


def sample_lines(difference: Difference, *, everything: bool, most: int | None) -> Iterator[str]:
    """Write how many samples are the same, and quote some that are not."""
    tasks, asked = difference.samples, difference.asked
    if not tasks:
        return
    compared, identical = (sum(task.compared for task in tasks), sum(task.identical for task in tasks))
    others = compared - identical - sum(task.differing for task in tasks)
    told = f"{identical} of {compared} identical" if compared else "none in common"
    across = difference.a.harness != difference.b.harness
    known = "in what can be compared" if across else "in what both saved"
    yield f"samples: {told}" + (f", {others} equal {known}" if others else "")
    # Who asks for certain samples wants to read them.
    whole = everything or bool(asked.where)
    if asked.where:
        chosen = sum(task.chosen for task in tasks)
        yield f"  {chosen or 'no'} {'sample' if chosen == 1 else 'samples'} {' and '.join(asked.where)}"
    most = most if most is not None else asked.shown if whole else _MOST_SAMPLES
    for task in tasks:
        if _is_worth_a_line(task):
            yield f"  {shorten(printable(task.task), _NAME)}: {_counts(task, across=across)}"
            yield from (f"    {_flip(flips)}" for flips in task.flips)
            yield from _shown(task, whole=whole, most=most)


def _is_worth_a_line(task: TaskSamples) -> bool:
    apart = task.only_in_a or task.only_in_b or task.repeated_in_a or task.repeated_in_b
    return bool(task.identical < task.compared or apart)


def _counts(task: TaskSamples, *, across: bool) -> str:
    if task.saved_in != "both":
        return f"{count(task.only_in_a + task.only_in_b, 'sample')} saved by {task.saved_in} only"
    words = [f"{task.compared} compared"]
    if task.differing:
        stages = ", ".join(f"{stage} {number}" for stage, number in task.changed.items())
        words.append(f"{task.differing} differ ({stages})")
    if task.known_by_one:
        stages = ", ".join(f"{stage} {number}" for stage, number in task.known_by_one.items())
        words.append(f"{'not to be compared' if across else 'saved by only one'}: {stages}")
    words += [
        f"{number} {what}"
        for number, what in (
            (task.only_in_a, "only in a"),
            (task.only_in_b, "only in b"),
            (task.repeated_in_a, "repeated in a"),
            (task.repeated_in_b, "repeated in b"),
        )
        if number
    ]
    return ", ".join(words)


def _flip(flips: Flips) -> str:
    name = flips.metric if flips.filter is None else f"{flips.metric} {flips.filter}"
    return f"{printable(name)}: {flips.right_to_wrong} right → wrong, {flips.wrong_to_right} wrong → right"


def _shown(task: TaskSamples, *, whole: bool, most: int) -> Iterator[str]:
    shown = task.shown[:most]
    for change in shown:
        yield from _sample(change, whole=whole)
    if task.chosen > len(shown):
        yield f"    … and {count(task.chosen - len(shown), 'more sample')}: `--samples {task.chosen}` shows them"


def _title(change: SampleChange) -> str:
    name = f"id {quoted(change.id)}"
    if change.id_in_b is not None:
        name += f" (in b {quoted(change.id_in_b)})"
    if change.filter is not None:
        name += f", {change.filter}"
    if change.epoch > 1:
        name += f", epoch {change.epoch}"
    if change.occurrence > 1:
        name += f", occurrence {change.occurrence}"
    return shorten(printable(name), WIDTH // 2)


def _sample(change: SampleChange, *, whole: bool) -> Iterator[str]:
    if change.a is None or change.b is None:
        yield f"    {_title(change)}: only in {'b' if change.a is None else 'a'}"
        return
    yield f"    {_title(change)}: {', '.join(change.changed)}"
    for stage in STAGES:
        one, other = said(change.a, stage), said(change.b, stage)
        if stage == "score":
            marks = marks_that_differ(change.a, change.b)
            yield from [f"      score     {shorten(marks, WIDTH - 16)}"] if marks else []
        elif stage not in change.changed:
            yield from _unchanged(change, stage, one, whole=whole)
        elif not (stage == "answer" and as_it_came(change.a, change.b)):
            yield from _stage(stage, one, other, whole=whole)
    yield from _pictures(change.a, change.b)


def _unchanged(change: SampleChange, stage: Stage, value: Json, *, whole: bool) -> Iterator[str]:
    """Quote what both say, where what differs cannot be judged without it."""
    needed: dict[Stage, Stage] = {"response": "answer", "target": "score"}
    judged = stage in needed and needed[stage] in change.changed
    if value is not None and value != [] and (judged or (whole and stage == "prompt")):
        yield f"      {stage:8}  {shorten(quoted(value), WIDTH - 26)} (in both)"


def _pictures(one: Said, other: Said) -> Iterator[str]:
    before, after = ([medium.digest for medium in side.media] for side in (one, other))
    if before != after:
        told = (", ".join(str(digest)[:19] for digest in digests) or ABSENT for digests in (before, after))
        yield f"      pictures  {ARROW.join(told)}"


def _stage(stage: Stage, one: Json, other: Json, *, whole: bool) -> Iterator[str]:
    if whole and isinstance(one, str) and isinstance(other, str):
        yield f"      {stage}"
        yield from (f"        {line}" for line in changed_lines(one, other, width=WIDTH))
        return
    half = (WIDTH - len(ARROW) - 18) // 2
    one_text, other_text = (_NOT_KEPT if value is None or value == [] else quoted(value) for value in (one, other))
    yield f"      {stage:8}  {ARROW.join(shorten_both(one_text, other_text, half))}"
