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


def lines(difference: Difference, *, all: bool = False) -> list[str]:  # noqa: A002 - named as the option `--all` is
    """Write a comparison as lines of about 100 characters, without line ends and without control characters.

    Args:
        difference: the comparison.
        all: also list what was ignored, show patches and whole texts, and shorten no list.
    """
    written = [
        difference.headline,
        f"  a  {difference.a.bundle_id}",
        f"  b  {difference.b.bundle_id}",
        *_section(_comparability(difference)),
        *_section(score_lines(difference, everything=all)),
        *_section(origin_lines(difference, everything=all)),
        *_section(setup_lines(difference, everything=all)),
        *_section(code_lines(difference, everything=all)),
        *_section(sample_lines(difference.samples, difference.asked, everything=all)),
    ]
    return [printable(line) for line in written]


def _section(found: Iterator[str]) -> list[str]:
    section = list(found)
    return ["", *section] if section else []


def _comparability(difference: Difference) -> Iterator[str]:
    found = difference.comparability
    told = f"{STATUS[found.status]}: {found.reason}"
    if told != difference.headline:
        yield told
    if found.status != "comparable" and len({task.reason for task in found.tasks}) > 1:
        width = min(max((len(task.task) for task in found.tasks), default=0), _NAME)
        for task in found.tasks:
            yield f"  {shorten(task.task, width):{width}}  {STATUS[task.status]}: {task.reason}"
