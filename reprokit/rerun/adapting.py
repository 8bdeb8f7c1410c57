"""The harness's say in a re-run: nothing leaves the machine, revisions as they were, and only the samples wanted."""

from __future__ import annotations

from dataclasses import replace

from reprokit.bundle.record import Record
from reprokit.bundle.values import Unknown
from reprokit.harnesses import table
from reprokit.rerun.parts import opaque
from reprokit.rerun.values import Rerun, Wishes


def adapted(again: Rerun, record: Record, wishes: Wishes) -> Rerun:
    """Let the adapter of the harness change a command that is about to be run again."""
    harness = table.by_name(record.harness.name)
    if harness is None:
        return again
    words = opaque(again.argv)
    local = harness.local(words.words)
    pinned = harness.pinned(local.argv, wishes.revisions)
    argv, subset, obstacles = pinned.argv, None, list(again.obstacles)
    if wishes.samples is not None:
        told = harness.subset(argv, wishes.samples)
        if isinstance(told, Unknown):
            obstacles.append(f"a choice of samples cannot be evaluated: {told.unknown}")
        else:
            argv, subset = told.argv, told
    unseen = [f"`{each}`, which the command reads, may ask for outputs or uploads elsewhere" for each in local.unseen]
    elsewhere = bool(unseen) and not any(each.argument is not None for each in record.invocation.outputs)
    return replace(
        again,
        argv=words.parts(argv),
        left_out=local.dropped,
        pinned=pinned.names,
        subset=subset,
        doubts=() if elsewhere else tuple(unseen),
        obstacles=(*obstacles, *(unseen if elsewhere else ())),
    )
