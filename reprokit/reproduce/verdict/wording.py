"""What a comparison found of one score, in a sentence."""

from __future__ import annotations

from msgspec import Struct

from reprokit.diff.difference import Asked, Difference, Inference, Interval, ScoreRow
from reprokit.diff.shown.legible import number, printable
from reprokit.diff.shown.words import amount, is_share, probability, unit

_WHOLE = 1.0
_PER_CENT = 100
_NEW = "the new run"


class Detectable(Struct, frozen=True, kw_only=True):
    """What the test of one score says, and what it would have found.

    `difference`, `interval`, `found` and `margin` are in the score's own units; `difference` is new minus original.
    `found` is the smallest true difference that the test finds with the power that was asked for.
    """

    task: str
    metric: str
    filter: str | None = None
    difference: float
    interval: Interval | None = None
    found: float | None = None
    margin: float | None = None


def detectable(row: ScoreRow, found: Inference) -> Detectable:
    """Give what was found of a score as a value."""
    return Detectable(
        task=row.task,
        metric=row.metric,
        filter=row.filter,
        difference=found.difference,
        interval=found.interval,
        found=found.detectable,
        margin=None if found.equivalence is None else found.equivalence.margin,
    )


def named(row: ScoreRow) -> str:
    """Name a score: task, metric, and the answer extraction where it has a name."""
    extraction = "" if row.filter is None else f" ({printable(row.filter)})"
    return f"`{printable(row.task)}` {printable(row.metric)}{extraction}"


def inconclusive(row: ScoreRow, difference: Difference) -> str:
    """Say what is known of a score of which neither equivalence nor a difference was shown."""
    found = row.inference
    if found is None:
        return f"{named(row)}: not tested, {row.untested or row.reason or 'nothing is known of it'}"
    return "; ".join(
        filter(None, [_differs(row, found), _would_find(row, found), _what_is_missing(row, found, difference.asked)])
    )


def equivalent(row: ScoreRow) -> str:
    """Say how near to its margin a score is that was shown to be within it."""
    found = row.inference
    if found is None or found.equivalence is None:
        return named(row)
    share, within = is_share(row), found.equivalence
    return (
        f"{named(row)}: {amount(found.difference, share=share)}{unit(share=share)},"
        f" {_interval(within.interval, share=share)}, within ±{_plain(within.margin, share=share)}"
    )


def different(row: ScoreRow) -> str:
    """Say how a score differs, and by what that is known."""
    if row.a is None or row.b is None:
        return f"{named(row)} is only in {_NEW if row.a is None else 'the original'}"
    found = row.inference
    if found is not None and found.p_adjusted is not None and row.difference:
        return f"{_differs(row, found)}, p {probability(found.p_adjusted)}"
    values = f"{named(row)}: {number(row.a.value)} in the original, {number(row.b.value)} in {_NEW}"
    why = row.untested if found is None else found.note
    return f"{values}; not tested: {why}" if why else values


def _differs(row: ScoreRow, found: Inference) -> str:
    share = is_share(row)
    told = f"{named(row)}: {amount(found.difference, share=share)}{unit(share=share)}"
    return told if found.interval is None else f"{told}, {_interval(found.interval, share=share)}"


def _would_find(row: ScoreRow, found: Inference) -> str:
    if found.detectable is None:
        return found.note or "what the test would have found is not known"
    share = is_share(row)
    if share and found.detectable > _WHOLE:
        return "the test would have found no difference, however large"
    return f"the test would have found {_plain(found.detectable, share=share)}"


def _what_is_missing(row: ScoreRow, found: Inference, asked: Asked) -> str:
    """Say what keeps a score from being equivalent, where a margin was given for it."""
    within = found.equivalence
    if within is None:
        given = asked.margins.get(row.metric, asked.margin) is not None
        return "no interval is known to hold against the margin" if given else ""
    share = is_share(row)
    interval, margin = _interval(within.interval, share=share), _plain(within.margin, share=share)
    return f"for *equivalent*, {interval}, would have to lie within ±{margin}"


def _interval(interval: Interval, *, share: bool) -> str:
    low, high = (amount(bound, share=share) for bound in (interval.low, interval.high))
    return f"{interval.level * _PER_CENT:.4g} % interval {low} to {high}"


def _plain(value: float, *, share: bool) -> str:
    return f"{amount(value, share=share).lstrip('+')}{unit(share=share)}"
