"""Examining a bundle: what reading it has found, what the world says of it, and the grade that follows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from reprokit import clock
from reprokit.archive.layout import Archive
from reprokit.audit import grading, history
from reprokit.audit.asking.asking import Asking
from reprokit.audit.copies_elsewhere.opening import Copies
from reprokit.audit.families import copies, freshness, identifiers, obsolescence, recoverability, signatures
from reprokit.audit.grading import Evidence
from reprokit.audit.held import Held
from reprokit.audit.history import History
from reprokit.audit.policy import Policy
from reprokit.audit.reading import Read, guarded
from reprokit.audit.statements import FAMILIES, Fact, Family, NotKnown, Outcome, Statement, outcome
from reprokit.audit.values import Audited
from reprokit.bundle.finding import Finding
from reprokit.bundle.values import Time

_OF_A_CAPTURE = "W3"  # whatever a record says of other codes, no capture has found them
_OF_BYTES = frozenset({"E101", "E102", "E103", "E104", "E105", "E106", "E490"})
_OF_THE_POINTER = frozenset({"E107"})
_ABOUT_THE_WORLD = frozenset({"identifiers", "recoverability"})
_SEVERITY = {"error": 0, "warning": 1, "unknown": 2, "good": 3, "not asked": 4}


@dataclass(frozen=True, kw_only=True)
class World:
    """Whatever is asked about a bundle besides its own bytes, for the length of one audit."""

    archive: Archive
    families: frozenset[Family]
    policy: Policy
    asking: Asking
    copies: Copies
    history: History
    environ: Mapping[str, str]
    now: dt.datetime
    ledger_whole: bool
    guarded: bool
    """Nobody but its owners can write to the archive's folder."""


def examine(found: Read, world: World) -> Audited:
    """Put together what is known of a bundle."""
    held = Held(world.archive, found.bundle)
    outcomes: dict[Family, Outcome] = {each.family: each for each in found.outcomes}
    for family, look in _looks(held, found, world).items():
        if family in world.families:
            outcomes[family] = outcome(family, guarded(held, family, look()))
    noted = frozenset(each for each in found.noted if each.code.startswith(_OF_A_CAPTURE))
    told = {family: _new(outcomes[family], noted) for family in FAMILIES if family in outcomes}
    evidence = _evidence(found, told, world)
    return Audited(
        bundle=found.bundle,
        identity=found.identity,
        state=min((each.state for each in told.values()), key=lambda state: _SEVERITY[state], default="not asked"),
        read=found.read,
        files=found.files,
        octets=found.octets,
        at=clock.text(clock.now()),
        outcomes=list(told.values()),
        grade=grading.levels(told, evidence, world.policy),
    )


def _looks(held: Held, found: Read, world: World) -> dict[Family, Callable[[], Iterator[Statement]]]:
    whole = _is_whole(found)
    return {
        "signatures": lambda: signatures.check(held, world.environ, world.policy),
        "copies": lambda: copies.check(
            held, world.copies, world.policy, here_whole=whole, pointer_good=not _has(found, _OF_THE_POINTER)
        ),
        "identifiers": lambda: identifiers.check(held, world.asking, world.policy),
        "recoverability": lambda: recoverability.check(held, world.asking, world.now),
        "obsolescence": lambda: obsolescence.check(held, world.policy, world.now),
        "freshness": lambda: freshness.check(
            held, world.policy, world.history, world.now, read_now=whole is True and found.read == "whole"
        ),
    }


def _is_whole(found: Read) -> bool | None:
    """Tell whether the copy here is whole: read now or, where only names were looked at, not long ago."""
    fixity = next((each for each in found.outcomes if each.family == "fixity"), None)
    if fixity is None or found.read == "nothing":
        return None
    return not _has(found, _OF_BYTES)


def _has(found: Read, codes: frozenset[str]) -> bool:
    return any(each.code in codes for told in found.outcomes if told.family == "fixity" for each in told.findings)


def _new(told: Outcome, noted: frozenset[Finding]) -> Outcome:
    """Tell apart what an audit has found from what the capture noted already, which its owner has known since."""
    before = [each for each in told.findings if each in noted]
    if not before:
        return told
    new: list[Statement] = [*(set(told.findings) - noted), *told.unknown, *told.facts]
    for each in before:
        said = f"noted by the capture: {each.code} {each.message}"
        # A revision that was never known is no news, and yet it is not known.
        unknown = told.family in _ABOUT_THE_WORLD
        new.append(NotKnown(where=each.where, because=said) if unknown else Fact(where=each.where, told=said))
    return outcome(told.family, new)


def _evidence(found: Read, told: Mapping[Family, Outcome], world: World) -> Evidence:
    here = ["here"] if _is_whole(found) else []
    facts = told["copies"].facts if "copies" in told else []
    read_now = found.read == "whole" and _is_whole(found) is True
    return Evidence(
        places=copies.counted(facts) or here,
        proven=copies.counted(facts, read=True) or here,
        noted=frozenset(each.code for each in found.noted if each.code.startswith(_OF_A_CAPTURE)),
        read_in_time=_read_in_time(found, world, now=read_now),
        reproduced=history.is_reproduced(world.history, found.bundle, found.identity),
        ledger_whole=world.ledger_whole,
        guarded=world.guarded,
        audited_before=history.last_read(world.history, found.bundle, found.identity, world.now) is not None,
        actions=history.has_actions(world.history, found.bundle),
    )


def _read_in_time(found: Read, world: World, *, now: bool) -> bool | None:
    if world.policy.read_every is None:
        return None
    if now:
        return True
    last: Time | None = history.last_read(world.history, found.bundle, found.identity, world.now)
    return last is not None and world.now - clock.parse(last) <= world.policy.read_every
