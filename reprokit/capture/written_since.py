"""What another run has written in the same places since a capture was cut short: it is not that capture's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from reprokit import clock
from reprokit.archive.layout import Archive
from reprokit.bundle.finding import Finding
from reprokit.bundle.reading import open_bundle
from reprokit.capture import whose
from reprokit.capture.finished.earlier import Held
from reprokit.capture.interrupted import unfinished
from reprokit.capture.interrupted.unfinished import Begun
from reprokit.capture.running.process import Ended
from reprokit.capture.whose import Runs
from reprokit.harnesses.interface import FoundRun, Reader


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The runs that a capture may take, and what is to be told; `cut` when only some files of a run are left."""

    runs: tuple[tuple[Reader, FoundRun], ...]
    findings: tuple[Finding, ...]
    cut: bool


def without_later(
    archive: Archive, begun: Begun, over: Ended | None, found: Runs, bundled: Collection[str] = ()
) -> Kept:
    """Leave out of the runs that a command may have left what was written after it had ended.

    Where nobody saw the end, a run that a bundle of a later capture holds is taken for that capture's. `bundled` are
    the keys of the runs that are in bundles of this capture, which stay.
    """
    held = Held(archive=archive)
    runs: list[tuple[Reader, FoundRun]] = []
    findings: list[Finding] = []
    cut = False
    kept: FoundRun | None
    for harness, run in found:
        if unfinished.run_key(run) in bundled:
            kept, detail = run, ""
        elif over is not None:
            kept, detail = whose.written_until(run, over.ended), ", written when this one had ended"
        else:
            holder = _later_holder(archive, held, (harness, run), begun.noted)
            kept, detail = None if holder else run, f", which `{holder}` holds"
        runs += [(harness, kept)] if kept is not None else []
        if kept is not run:
            findings += whose.not_taken([run], Path(begun.directory), detail)
            cut = cut or kept is not None
    return Kept(runs=tuple(runs), findings=tuple(findings), cut=cut)


def _later_holder(archive: Archive, held: Held, pair: tuple[Reader, FoundRun], noted: str) -> str | None:
    """Name the bundle that holds a run's results, when it was captured after `noted` (UTC)."""
    holder = held.holder(*pair, None, private=True)
    if holder is None:
        return None
    captured = open_bundle(archive.payload(holder)).info.bagging_date
    return holder if clock.parse(captured) >= clock.parse(noted) else None
