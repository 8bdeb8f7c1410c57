"""What the samples themselves show: the same one twice, one document for all, answers that are none."""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.bundle.finding import Finding, finding
from reprokit.consistency.definitions import Tallies
from reprokit.consistency.tally import Tally

ENOUGH = 10
"""So many equal responses to different prompts are told; fewer may be chance."""


def findings(tallies: Tallies) -> Iterator[Finding]:
    """Tell what is wrong with the samples of each task, each thing once and not again for every filter."""
    by_task: dict[str, list[Tally]] = {}
    for (task, _), tally in tallies.items():
        by_task.setdefault(task, []).append(tally)
    for task, own in by_task.items():
        yield from _repeated(task, own)
        yield from _constant(task, own)
        yield from _responses(task, own)


def _repeated(task: str, own: list[Tally]) -> Iterator[Finding]:
    again = sum(tally.keys.repeated for tally in own)
    if again:
        example = next(tally.keys.example for tally in own if tally.keys.repeated)
        more = f", and {again - 1} more" if again > 1 else ""
        yield finding("W315", task, f"sample `{example}`{more}")


def _constant(task: str, own: list[Tally]) -> Iterator[Finding]:
    tally = max(own, key=lambda each: each.documents.count)
    if tally.documents.count > 1 and tally.documents.same and not tally.identifiers.same:
        yield finding("W324", task, f"all {tally.documents.count} samples hold the same")


def _responses(task: str, own: list[Tally]) -> Iterator[Finding]:
    undefined = max(own, key=lambda each: each.undefined)
    if undefined.undefined:
        yield finding("W321", task, f"in {undefined.undefined} of {undefined.samples} samples")
    empty = max(own, key=lambda each: each.empty)
    if empty.empty:
        yield finding("W322", task, f"in {empty.empty} of {empty.answered} samples")
    same = max(own, key=lambda each: each.responses.count if each.responses.same else 0)
    told = same.answered in {same.empty, same.undefined}
    if same.responses.same and same.responses.count >= ENOUGH and not same.prompts.same and not told:
        yield finding("W323", task, f"{same.responses.count} samples with different prompts")
