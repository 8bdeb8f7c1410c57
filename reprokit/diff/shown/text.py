"""A comparison for the terminal: the verdict first, then why."""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.diff.difference import Difference
from reprokit.diff.shown.legible import printable, shorten
from reprokit.diff.shown.sample_lines import sample_lines
from reprokit.diff.shown.score_lines import origin_lines, score_lines
from reprokit.diff.shown.setup_lines import code_lines, setup_lines
from reprokit.diff.shown.words import STATUS

_NAME = 34
_MOST_TASKS = 12


def lines(
    difference: Difference,
    *,
    all: bool = False,  # noqa: A002 - named as the option `--all` is
    samples: int | None = None,
) -> list[str]:
    """Write a comparison as lines of about 100 characters, without line ends and without control characters.

    Args:
        difference: the comparison.
        all: also list what was ignored, show patches and whole texts, and shorten no list.
        samples: how many of the samples of a task to show; `None`: all or those that were asked for, else a few.
    """
    written = [
        difference.headline,
        f"  a  {difference.a.bundle_id}",
        f"  b  {difference.b.bundle_id}",
        *_section(_comparability(difference, everything=all)),
        *_section(score_lines(difference, everything=all)),
        *_section(origin_lines(difference, everything=all)),
        *_section(setup_lines(difference, everything=all)),
        *_section(code_lines(difference, everything=all)),
        *_section(sample_lines(difference, everything=all, most=samples)),
    ]
    return [printable(line) for line in written]


def _section(found: Iterator[str]) -> list[str]:
    section = list(found)
    return ["", *section] if section else []


def _comparability(difference: Difference, *, everything: bool) -> Iterator[str]:
    found = difference.comparability
    told = f"{STATUS[found.status]}: {found.reason}"
    if told != difference.headline:
        yield told
    if found.status != "comparable" and len({task.reason for task in found.tasks}) > 1:
        width = min(max((len(task.task) for task in found.tasks), default=0), _NAME)
        listed = found.tasks if everything else found.tasks[:_MOST_TASKS]
        for task in listed:
            yield f"  {shorten(task.task, width):{width}}  {STATUS[task.status]}: {task.reason}"
        if len(listed) < len(found.tasks):
            yield f"  … and {len(found.tasks) - len(listed)} more: `--all` shows them"
