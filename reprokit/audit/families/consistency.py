"""Consistency: whether scores still follow from the samples, by the rules that are known today."""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.audit.held import Held
from reprokit.audit.statements import Fact, NotKnown, Statement
from reprokit.bundle.reading import Bundle
from reprokit.consistency import Consistency
from reprokit.errors import ReprokitError


def check(held: Held) -> Iterator[Statement]:
    """Recompute what a careful reader would: counts, means, errors, duplicates, answers that are none.

    What the capture found already is found again; whoever asks can tell the two apart by the findings of the record.
    """
    if held.bundle is None:
        return
    try:
        yield from _findings(held.bundle)
    except ReprokitError as error:
        yield NotKnown(where="samples", because=error.message)


def _findings(bundle: Bundle) -> Iterator[Statement]:
    consistency = Consistency(bundle.results)
    for task in bundle.tasks():
        for sample in bundle.samples(task):
            consistency.see(sample)
    yield from consistency.findings()
    without = sorted(task.name for task in bundle.results.tasks if task.samples_file is None)
    if without and bundle.record.samples == "full":
        yield Fact(where=", ".join(without[:5]), told="no samples were saved: these scores cannot be recomputed")
