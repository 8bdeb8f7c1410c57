"""Freshness: how long ago a bundle was read whole, and its run repeated, and whether that is what the policy asks for.

Without a policy no age is a fault; what was never done is not known then. Recomputed scores are told, and are no
reproduction: nothing was run.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator

from reprokit import clock
from reprokit.archive import dvc
from reprokit.audit import history as histories
from reprokit.audit.held import Held
from reprokit.audit.history import History, Reproduced, Tried
from reprokit.audit.policy import Policy
from reprokit.audit.statements import Fact, NotKnown, Statement
from reprokit.bundle.finding import finding
from reprokit.errors import ReprokitError
from reprokit.reproduce.verdict.ladder import LADDER

_READING = "reading"
_REPRODUCTION = "reproduction"
_RESCORING = "rescoring"
_AHEAD = dt.timedelta(days=1)
"""By so much may the clock of a machine that wrote into the ledger be ahead of ours."""
_FAILED = "different"


def check(held: Held, policy: Policy, history: History, now: dt.datetime, *, read_now: bool) -> Iterator[Statement]:
    """Say how old the newest reading and the newest reproduction of a bundle are.

    Args:
        held: the bundle.
        policy: what is asked for.
        history: what the ledger says.
        now: the present.
        read_now: this audit has read every byte of it, and found it well.
    """
    identity = _identity(held)
    yield _reading(histories.last_read(history, held.id, identity), policy.read_every, now, read_now=read_now)
    yield from _reproduction(histories.last_reproduced(history, held.id, identity), policy.reproduce_every, now)


def _identity(held: Held) -> str | None:
    """Give the identity of the bundle here or, where that cannot be read, the one that git keeps."""
    with contextlib.suppress(ReprokitError):
        if held.bundle is not None:
            return held.bundle.identity
    with contextlib.suppress(ReprokitError):
        return dvc.read_pointer(held.archive.pointer(held.id)).identity
    return None


def _reading(last: str | None, every: dt.timedelta | None, now: dt.datetime, *, read_now: bool) -> Statement:
    if read_now:
        return Fact(where=_READING, told="every byte was read by this audit")
    if last is None:
        told = "no audit has read it whole in this copy of the archive"
        return Fact(where=_READING, told=told) if every is None else finding("W461", _READING, told)
    passed = now - clock.parse(last)
    if passed < -_AHEAD:
        return NotKnown(where=_READING, because=_yet_to_come(last))
    if every is not None and passed > every:
        return finding("W461", _READING, f"it was read {_ago(last, now)}, and should be every {_days(every)}")
    return Fact(where=_READING, told=f"every byte was read {_ago(last, now)}")


def _reproduction(known: Reproduced | None, every: dt.timedelta | None, now: dt.datetime) -> Iterator[Statement]:
    if known is not None:
        yield from _outcome(known.run, _REPRODUCTION, now)
        yield from _outcome(known.rescored, _RESCORING, now)
        if known.rescored is not None and known.rescored.good:
            told = f"its scores were recomputed and found equal {_ago(known.rescored.time, now)}"
            yield Fact(where=_RESCORING, told=told)
    if known is None or known.succeeded is None:
        told = "it was never run again and found at least equivalent"
        yield Fact(where=_REPRODUCTION, told=told) if every is None else finding("W462", _REPRODUCTION, told)
        return
    last = known.succeeded.time
    passed = now - clock.parse(last)
    if passed < -_AHEAD:
        yield NotKnown(where=_REPRODUCTION, because=_yet_to_come(last))
    elif every is not None and passed > every:
        told = f"it was reproduced {_ago(last, now)}, and should be every {_days(every)}"
        yield finding("W462", _REPRODUCTION, told)
    else:
        yield Fact(where=_REPRODUCTION, told=f"it was reproduced {_ago(last, now)}")


def _outcome(tried: Tried | None, where: str, now: dt.datetime) -> Iterator[Statement]:
    """Say what came of the newest attempt, where that was no success."""
    if tried is None or tried.good:
        return
    if tried.verdict == _FAILED:
        yield finding("W463", where, f"{tried.verdict} ({tried.tier}), {_ago(tried.time, now)}")
    else:
        shown = f"was {tried.verdict}" if tried.verdict in LADDER else "has a verdict that nobody gives"
        yield NotKnown(where=where, because=f"the newest attempt ({tried.tier}) {shown}, {_ago(tried.time, now)}")


def _ago(time: str, now: dt.datetime) -> str:
    moment = clock.parse(time)
    days = max(0, (now - moment).days)
    when = "today" if days == 0 else "yesterday" if days == 1 else f"{days} days ago"
    return f"{when} ({moment:%Y-%m-%d})"


def _days(every: dt.timedelta) -> str:
    if every < dt.timedelta(days=1):
        hours = every // dt.timedelta(hours=1)
        return "hour" if hours == 1 else f"{hours} hours"
    return "day" if every.days == 1 else f"{every.days} days"


def _yet_to_come(time: str) -> str:
    return f"the ledger gives a time that is yet to come: {time}"
