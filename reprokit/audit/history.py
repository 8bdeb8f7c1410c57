"""What the ledger holds of audits and reproductions: when a bundle was read whole, and when its run was repeated.

An audit leaves an `audited` event for each bundle. What one has read says nothing of the bytes in another copy of the
archive, though all copies share the ledger: so the event names the copy, by a word that is made up for it and kept in
its private folder.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import secrets
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path, PurePosixPath

from reprokit import clock, git
from reprokit.archive import catalog, durable, dvc, ledger, small_file
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import CAPTURED, Event
from reprokit.audit.statements import State
from reprokit.audit.values import Audited, Counts, Past
from reprokit.bundle.finding import Finding
from reprokit.bundle.values import TIME_PATTERN
from reprokit.errors import InvalidRecordError, ReprokitError
from reprokit.reproduce.tiers import RUNNING
from reprokit.reproduce.verdict.ladder import LADDER, at_least_equivalent

AUDITED = "audited"
REPRODUCED = "reproduced"
_AHEAD = dt.timedelta(hours=1)  # by which the clock of another machine may be ahead of ours
_BATCH = 500  # events of a file of the ledger
_TIME = re.compile(TIME_PATTERN)
_WORD = re.compile(r"[0-9a-f]{16}")
_COUNTED = frozenset(Counts.__struct_fields__)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One reproduction: when, how much of the run was done again, and how far it agreed."""

    time: str
    tier: str
    verdict: str

    @property
    def good(self) -> bool:
        """Whether it came out at least equivalent."""
        return any(each == self.verdict and at_least_equivalent(each) for each in LADDER)


@dataclass(frozen=True, kw_only=True)
class Reproduced:
    """What the ledger says of the reproductions of a bundle of that identity (its 32 bytes).

    `run` is the newest that ran the evaluation, in part or whole, and `succeeded` the newest of those that came out at
    least equivalent; `rescored` is the newest that only recomputed the scores.
    """

    identity: bytes
    run: Tried | None = None
    succeeded: Tried | None = None
    rescored: Tried | None = None


@dataclass(frozen=True, kw_only=True)
class History:
    """What the ledger says of bundles, by id.

    `read` is which identity (its 32 bytes) this copy of the archive was found to hold, every byte, and when; `acted`
    are the bundles of which there is more than the capture.
    """

    read: dict[str, tuple[bytes, str, bool]] = field(default_factory=dict)
    """The newest reading of a bundle in this copy that was whole, or found damage: its identity, when, and how well."""
    reproduced: dict[str, Reproduced] = field(default_factory=dict)
    acted: set[str] = field(default_factory=set)


# --- writing ----------------------------------------------------------------------------------------------------------


def note(archive: Archive, results: Iterable[Audited], started: str) -> str | None:
    """Write what an audit found into the ledger, and commit it; returns why it could not be committed yet, if so.

    The same results in the same order, written again, change nothing.

    Args:
        archive: whose ledger it is.
        results: what was found; they are looked at a batch at a time.
        started: when the audit began, which names it.

    Raises:
        OSError: the archive cannot be written.
        UsageError: a link stands where a folder of the archive's own belongs.
    """
    copy = _word(archive) or _new_word(archive)
    events = (_event(each, identity, started, copy) for each in results if (identity := _identity(archive, each)))
    paths: list[PurePosixPath] = []
    number = 0
    while batch := list(islice(events, _BATCH)):
        paths.append(archive.relative(ledger.append(archive, batch)))
        number += len(batch)
    if not paths:
        return None
    try:
        git.commit_paths(archive.root, paths, f"audit {number} bundle{'' if number == 1 else 's'}")
    except ReprokitError as error:
        return error.message
    return None


def _event(result: Audited, identity: str, started: str, copy: str) -> Event:
    findings = [each for told in result.outcomes for each in told.findings]
    detail = {
        "audit": started,
        "copy": copy,
        "read": result.read,
        "state": result.state,
        "fixity": _fixity(result),
        "errors": _count(findings, "error"),
        "warnings": _count(findings, "warning"),
        "unknown": sum(len(told.unknown) for told in result.outcomes),
        "levels": {each.area: each.level for each in result.grade},
    }
    return Event(event=AUDITED, time=result.at, bundle=result.bundle, identity=identity, detail=detail)


def _fixity(result: Audited) -> State:
    return next((told.state for told in result.outcomes if told.family == "fixity"), "not asked")


def _count(findings: Iterable[Finding], severity: str) -> int:
    return sum(each.severity == severity for each in findings)


def _identity(archive: Archive, result: Audited) -> str | None:
    """Give the identity of a bundle: its own or, where it cannot tell, what git keeps of it."""
    if result.identity is not None:
        return result.identity
    with contextlib.suppress(ReprokitError):
        return dvc.read_pointer(archive.pointer(result.bundle)).identity
    with contextlib.suppress(ReprokitError):
        return catalog.read(archive, result.bundle).identity
    return None


def _place(archive: Archive) -> Path:
    return archive.private / "copy"


def _word(archive: Archive) -> str | None:
    """Read the word that stands for this copy of the archive; `None` when it has none yet."""
    try:
        found = small_file.read(_place(archive)).decode("ascii", errors="replace").strip()
    except OSError:
        return None
    return found if _WORD.fullmatch(found) else None


def _new_word(archive: Archive) -> str:
    word = secrets.token_hex(8)
    durable.write(_place(archive), f"{word}\n".encode(), archive=archive)
    return word


# --- reading ----------------------------------------------------------------------------------------------------------


def read(archive: Archive) -> History:
    """Read what the ledger says, a file of it at a time.

    What cannot be read in it says nothing; another check finds it.

    Raises:
        OSError: the ledger's folders cannot be listed.
    """
    copy = _word(archive)
    found = History()
    for event in _events(archive):
        name = sys.intern(event.bundle)
        if event.event != AUDITED:
            found.acted.add(name)
        if event.event == AUDITED and copy is not None:
            _take_audit(found, name, event, copy)
        elif event.event == REPRODUCED:
            _take_reproduction(found, name, event)
    return found


def last_read(history: History, bundle: str, identity: str | None, now: dt.datetime | None = None) -> str | None:
    """Tell when a bundle was last read whole in this copy of the archive, and found well; `None` when it never was.

    Args:
        history: what the ledger says.
        bundle: its id.
        identity: its identity now, of which a bundle that was changed has another; `None` to take it as unchanged.
        now: the present: what is yet to come was not done yet. `None` to be told of that, too.
    """
    known = history.read.get(bundle)
    if known is None or not known[2] or (identity is not None and known[0] != _digest(identity)):
        return None
    return None if now is not None and clock.parse(known[1]) > now + _AHEAD else known[1]


def last_reproduced(history: History, bundle: str, identity: str | None) -> Reproduced | None:
    """Give what is known of the reproductions of a bundle; `None` when there was none.

    Args:
        history: what the ledger says.
        bundle: its id.
        identity: its identity now; `None` to take it as unchanged.
    """
    known = history.reproduced.get(bundle)
    return None if known is None or (identity is not None and known.identity != _digest(identity)) else known


def is_reproduced(history: History, bundle: str, identity: str | None) -> bool:
    """Tell whether the newest repetition of a run, of the whole of it, came out at least equivalent."""
    known = last_reproduced(history, bundle, identity)
    return known is not None and known.run is not None and known.run.good and known.run.tier == "rerun"


def has_actions(history: History, bundle: str) -> bool:
    """Tell whether the ledger holds anything of a bundle besides its capture and its audits."""
    return bundle in history.acted


def past(archive: Archive) -> list[Past]:
    """List the audits that the ledger holds, the oldest first.

    Raises:
        OSError: the ledger's folders cannot be listed.
    """
    states: dict[str, dict[str, int]] = {}
    whole: dict[str, int] = {}
    for event in _events(archive, [AUDITED]):
        audit = event.detail.get("audit")
        if not isinstance(audit, str) or not _is_time(audit):
            continue
        counts = states.setdefault(audit, dict.fromkeys(_COUNTED, 0))
        state = event.detail.get("state")
        counts[_counted_as(state)] += 1
        whole[audit] = whole.get(audit, 0) + (event.detail.get("read") == "whole")
    ordered = sorted(states, key=clock.parse)
    return [Past(time=each, counts=Counts(**states[each]), read_whole=whole[each]) for each in ordered]


def _counted_as(state: object) -> str:
    if state == "not asked":
        return "good"  # as the audit itself counted it
    return state if isinstance(state, str) and state in _COUNTED else "unknown"


def _events(archive: Archive, kinds: Iterable[str] | None = None) -> Iterator[Event]:
    """Yield events other than captures, in about the order in which they happened."""
    for path in reversed(ledger.batches(archive, kinds)):
        if f"-{CAPTURED}-" not in path.name:
            with contextlib.suppress(InvalidRecordError):
                yield from ledger.read(path)


def _take_audit(found: History, name: str, event: Event, copy: str) -> None:
    detail = event.detail
    good = detail.get("read") == "whole" and detail.get("fixity") == "good"
    ill = detail.get("fixity") in {"error", "warning"}
    if detail.get("copy") != copy or not (good or ill):
        return
    known = found.read.get(name)
    if known is None or clock.parse(known[1]) <= clock.parse(event.time):
        found.read[name] = _digest(event.identity), event.time, good


def _take_reproduction(found: History, name: str, event: Event) -> None:
    tier, verdict = (sys.intern(str(event.detail.get(key))) for key in ("tier", "verdict"))
    tried = Tried(time=event.time, tier=tier, verdict=verdict)
    identity = _digest(event.identity)
    known = found.reproduced.get(name)
    if known is None or known.identity != identity:
        known = Reproduced(identity=identity)
    if tier in RUNNING:
        succeeded = _later(known.succeeded, tried) if tried.good else known.succeeded
        known = replace(known, run=_later(known.run, tried), succeeded=succeeded)
    elif tier == "rescore":
        known = replace(known, rescored=_later(known.rescored, tried))
    found.reproduced[name] = known


def _later(one: Tried | None, other: Tried) -> Tried:
    return other if one is None or clock.parse(one.time) <= clock.parse(other.time) else one


def _digest(identity: str) -> bytes:
    return bytes.fromhex(identity.removeprefix("sha256:"))


def _is_time(text: str) -> bool:
    if _TIME.fullmatch(text) is None:
        return False
    try:
        clock.parse(text)
    except ValueError:
        return False
    return True
