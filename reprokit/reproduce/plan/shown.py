"""A plan written for people: what will run, from what, and what nobody can promise."""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.bundle.values import Unknown
from reprokit.reproduce.checkouts.planning import PlannedCheckout
from reprokit.reproduce.delta import Delta
from reprokit.reproduce.inputs.local import FoundInput
from reprokit.reproduce.inputs.whereabouts import PlannedInput
from reprokit.reproduce.plan.values import Plan, PlannedEnvironment, PlannedSecret

_SHORT = 12
_WIDTH = 14
_MINUTE, _HOUR = 60, 3600
_DOES = {
    "verify": "reads every byte of the bundle; nothing is run, fetched or written but an event of the ledger",
    "rescore": "computes the scores again from the saved samples; nothing is run or fetched",
}


def lines(plan: Plan) -> list[str]:
    """Write a plan for people, one fact a line."""
    if plan.tier in _DOES:
        return [f"reproduce {plan.bundle}, tier {plan.tier}", f"  {'does':<{_WIDTH}} {_DOES[plan.tier]}"]
    rows = [*_command(plan), *_what_it_is_made_from(plan), *_surroundings(plan), *_doubts(plan)]
    name = "" if plan.tier == "rerun" else f", tier {plan.tier}"
    return [f"reproduce {plan.bundle}{name}", *(f"  {title:<{_WIDTH}} {text}" for title, text in rows)]


def _command(plan: Plan) -> Iterator[tuple[str, str]]:
    if plan.command:
        told = "" if plan.command_from == "record" else ", worked out from what the harness wrote"
        yield "command", " ".join(plan.command) + told
        yield "in", plan.directory
    for each in plan.lost:
        yield "not known", each
    for each in plan.not_done_again:
        yield "left out", each
    if plan.samples is not None:
        counts = ", ".join(f"{count} of {task}" for task, count in plan.samples.tasks.items())
        yield "samples", f"{counts}, by {plan.samples.how}, seed {plan.samples.seed}"
    if plan.repeats > 1:
        yield "repeats", str(plan.repeats)


def _what_it_is_made_from(plan: Plan) -> Iterator[tuple[str, str]]:
    if plan.command and not plan.checkouts:
        yield (
            "source",
            (
                "none: no checkout is in the bundle"
                if plan.command_from == "record"
                else "not recorded; `--source DIR` names a clone to run in"
            ),
        )
    for checkout in plan.checkouts:
        yield "source", checkout_line(checkout)
    if plan.command:
        yield "environment", environment_line(plan.environment)
    for each in plan.environment.not_rebuilt:
        yield "not rebuilt", each
    for planned in plan.inputs:
        yield planned.kind, input_line(planned, by_name=planned.name in plan.pinned)
    for local in plan.local_inputs:
        yield "file", local_line(local)


def _surroundings(plan: Plan) -> Iterator[tuple[str, str]]:
    for each in plan.variables:
        yield "variable", each
    for each in plan.not_carried_over:
        yield "not set", f"{each}: it named a place of the other machine"
    for secret in plan.secrets:
        yield "secret", secret_line(secret)
    for part in plan.shared:
        yield "shared", f"your own {part}"
    for delta in plan.machine:
        yield "differs", delta_line(delta)
    for each in plan.downloads:
        yield "downloads", each
    if plan.command:
        yield "writes", f"{plan.workspace or 'a new folder for temporary files'}, and a bundle in the archive"


def _doubts(plan: Plan) -> Iterator[tuple[str, str]]:
    for each in plan.not_guaranteed:
        yield "not certain", each
    for each in plan.missing:
        yield "missing", each
    for each in plan.obstacles:
        yield "impossible", each
    if plan.took_seconds is not None:
        yield "took", f"{duration(plan.took_seconds)} the first time"


def checkout_line(checkout: PlannedCheckout) -> str:
    """Write where a checkout comes from, and what it is for."""
    whence = _whence(checkout.comes_from)
    patched = " + patch" if checkout.patched else ""
    uses = f" ({', '.join(checkout.used_as)})" if checkout.used_as else ""
    return f"{checkout.name}{uses} at {(checkout.commit or 'no commit')[:_SHORT]}{patched}, {whence}"


def environment_line(environment: PlannedEnvironment) -> str:
    """Write which Python and which packages the run will have."""
    if environment.mode == "current":
        recorded = f", where the run had Python {environment.python}" if environment.python else ", none is recorded"
        return f"the present one: what is on PATH{recorded}"
    notes = [f"{environment.checked} checked by digest"] if environment.checked else []
    notes += [f"{environment.vendored} wheels carried"] if environment.vendored else []
    packages = f"{environment.packages} packages by uv" + (f" ({', '.join(notes)})" if notes else "")
    more = f", editable {', '.join(environment.editable)}" if environment.editable else ""
    more += f", from git {', '.join(environment.from_git)}" if environment.from_git else ""
    return f"Python {environment.python}, {packages}{more}"


def input_line(planned: PlannedInput, *, by_name: bool) -> str:
    """Write at which revision a model or dataset will be, and how that is made sure."""
    if isinstance(planned.revision, Unknown):
        return f"{planned.name}, revision not known: {planned.revision.unknown}"
    if isinstance(planned.comes_from, Unknown):
        return f"{planned.name} at {planned.revision[:_SHORT]}, not to be had: {planned.comes_from.unknown}"
    whence = "your cache" if planned.comes_from == "cache" else "the hub"
    how = "the command names it" if by_name else "in a cache that holds no other"
    return f"{planned.name} at {planned.revision[:_SHORT]}, from {whence}; {how}"


def local_line(found: FoundInput) -> str:
    """Write whether a file of one's own is here as the run read it."""
    here = "" if found.here == found.path else f" at `{found.here}`"
    told = {"same": "the same", "not compared": "here; no digest was recorded"}.get(found.state, found.state)
    return f"{found.path}{here}, {told}"


def secret_line(secret: PlannedSecret) -> str:
    """Write where a secret will be taken from; whoever agrees hands it to the bundle's code."""
    if secret.here:
        return f"{secret.name}, from your environment: the bundle's code gets it"
    return f"{secret.name}, " + ("to be given" if secret.needed else "which the run had, is not set here")


def delta_line(delta: Delta) -> str:
    """Write what is not as recorded."""
    reason = f" ({delta.reason})" if delta.reason else ""
    return f"{delta.what}: {delta.recorded} → {delta.here}{reason}"


def duration(seconds: float) -> str:
    """Write a time for people."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:g} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.1f} h"


def _whence(place: str | Unknown) -> str:
    return place.unknown if isinstance(place, Unknown) else f"from {place}"
