"""Statistics, brought to the units of a score and written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reprokit.diff.difference import Equivalence, Inference, Interval
from reprokit.diff.statistics import equivalence as tests
from reprokit.diff.statistics import interval as intervals
from reprokit.diff.statistics.inference import Inferred


@dataclass(frozen=True, kw_only=True)
class Scaled:
    """What was inferred from marks, and what these are multiplied by to get the score's units.

    `by` names what the samples were grouped by; `partial` says that some samples took no part.
    """

    inferred: Inferred
    scale: float
    kind: Literal["paired", "unpaired", "group"] = "paired"
    by: str | None = None
    partial: bool = False
    note: str | None = None


def _interval(found: intervals.Interval | None, scale: float) -> Interval | None:
    if found is None:
        return None
    return Interval(low=found.low * scale + 0.0, high=found.high * scale + 0.0, level=found.level)


def _equivalence(found: tests.Equivalence | None, scale: float) -> Equivalence | None:
    if found is None:
        return None
    interval = Interval(
        low=found.interval.low * scale + 0.0, high=found.interval.high * scale + 0.0, level=found.interval.level
    )
    return Equivalence(margin=found.margin * scale, p=found.p, interval=interval, equivalent=found.equivalent)


def _times(value: float | None, scale: float) -> float | None:
    return None if value is None else value * scale + 0.0


def told(found: Scaled) -> Inference:
    """Write down what was inferred, in the score's units."""
    inferred, scale = found.inferred, found.scale
    return Inference(
        kind=found.kind,
        n=inferred.n,
        clusters=inferred.clusters,
        clustered_by=found.by if inferred.clusters is not None else None,
        design_effect=inferred.design_effect,
        partial=found.partial,
        a=inferred.a * scale,
        b=inferred.b * scale,
        difference=inferred.difference * scale + 0.0,
        stderr=_times(inferred.stderr, scale),
        interval=_interval(inferred.interval, scale),
        interval_by=inferred.interval_by,
        test=inferred.test,
        resamples=inferred.resamples,
        p=inferred.p,
        detectable=_times(inferred.detectable, scale),
        equivalence=_equivalence(inferred.equivalence, scale),
        note=found.note or inferred.note,
    )
