"""The harness's say in a re-run: nothing leaves the machine, revisions as they were, and only the samples wanted."""

from __future__ import annotations

from dataclasses import replace

from reprokit.bundle.record import Record
from reprokit.bundle.values import Unknown
from reprokit.harnesses import table
from reprokit.harnesses.interface import Harness
from reprokit.rerun import redirection
from reprokit.rerun.parts import opaque
from reprokit.rerun.values import Rerun, Wishes


def adapted(again: Rerun, record: Record, wishes: Wishes) -> Rerun:
    """Let the adapter of the harness change a command that is about to be run again."""
    harness = harness_of(again, record)
    if harness is None:
        return again
    redirected = list(again.argv)
    for at, argument in redirection.missed(redirected, harness, opaque(redirected).words):
        redirected[at] = argument
    words = opaque(redirected)
    local = harness.local(words.words)
    pinned = harness.pinned(local.argv, wishes.revisions)
    argv, subset, obstacles = pinned.argv, None, list(again.obstacles)
    if wishes.samples is not None:
        told = harness.subset(argv, wishes.samples)
        if isinstance(told, Unknown):
            obstacles.append(f"a choice of samples cannot be evaluated: {told.unknown}")
        else:
            argv, subset = told.argv, told
    return replace(
        again,
        argv=words.parts(argv),
        left_out=local.dropped,
        settings=tuple(words.parts(local.unseen)),
        pinned=pinned.names,
        subset=subset,
        obstacles=tuple(obstacles),
    )


def harness_of(again: Rerun, record: Record) -> Harness | None:
    """Find the adapter for a command: that of the harness which the command line runs, whatever the record calls it."""
    return table.by_argv(opaque(again.argv).words) or table.by_name(record.harness.name)
