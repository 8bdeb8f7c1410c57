"""What a re-run had otherwise than the run, and what nobody can say of it: beside every verdict."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from reprokit.bundle.values import Json
from reprokit.diff.difference import Change, Difference
from reprokit.reproduce.delta import Delta
from reprokit.reproduce.plan.values import Plan

_LONGEST = 120
_OF_A_SUBSET = re.compile(r"--samples|--limit|--offset|.*\b(limit|offset|samples|n-samples)\b.*")
_VERSION = re.compile(r"[a-z_]+_version")
_NONE = "absent"


def all_deltas(found: Sequence[Delta], difference: Difference | None, plan: Plan) -> list[Delta]:
    """List all that was not as recorded: what setting up found, the machine, then what the records of the runs say.

    What a subset of the samples brings with it is no delta, and neither is what a comparison takes for noise.
    """
    named = {each.what for each in found}
    told = [] if difference is None else [_delta(each) for each in _of_interest(difference, plan)]
    told = [each for each in told if each.what not in named]
    return [*found, *plan.machine, *told]


def _of_interest(difference: Difference, plan: Plan) -> Iterator[Change]:
    # Where both environments were seen, what a harness says of its own version adds nothing: lmms-eval names the commit
    # of whatever repository its environment lies in.
    seen = not any(each.area == "packages" for each in difference.not_compared)
    moved = {place: each.here for each in plan.local_inputs for place in (each.given, each.path, each.here)}
    read = _read(difference, moved)
    for change in difference.setup:
        if seen and change.area == "claims" and _VERSION.fullmatch(change.name):
            continue
        if plan.samples is not None and _OF_A_SUBSET.fullmatch(change.name):
            continue
        # The machine is told of in a comparison of its own.
        if change.area == "hardware" or _is_moved(change, moved, read):
            continue
        yield change


def _read(difference: Difference, moved: Mapping[str, str]) -> dict[str, set[str]]:
    """Give the digests of each moved input, under whatever names the two runs have it."""
    digests: dict[str, set[str]] = {}
    for change in difference.setup:
        if change.area == "inputs" and change.name in moved:
            both = (change.before, change.after)
            digests.setdefault(moved[change.name], set()).update(str(each) for each in both if each is not None)
    return digests


def _is_moved(change: Change, moved: Mapping[str, str], read: Mapping[str, set[str]]) -> bool:
    """Tell whether nothing differs but where an input lies, as the plan says and compares."""
    if change.area == "inputs" and change.name in moved:
        return len(read[moved[change.name]]) == 1
    if change.before != change.after and _moved(change.before, moved) == _moved(change.after, moved):
        return True
    return any(place.startswith("/") and place in change.name for place in moved)


def _moved(value: Json, moved: Mapping[str, str]) -> Json:
    """Write a value with the inputs where they lie now, as the command of a re-run has them."""
    match value:
        case str():
            return ",".join(_of_piece(piece, moved) for piece in value.split(","))
        case list():
            return [_moved(each, moved) for each in value]
        case _:
            return value


def _of_piece(piece: str, moved: Mapping[str, str]) -> str:
    before, equals, place = piece.rpartition("=")
    fitting = [each for each in moved if place == each or place.startswith(f"{each}/")]
    longest = max(fitting, key=len, default="")
    return f"{before}{equals}{moved[longest]}{place[len(longest) :]}" if longest else piece


def _delta(change: Change) -> Delta:
    what = change.name if change.area == "packages" else f"{change.area} {change.name}"
    return Delta(what=what, recorded=_text(change.before), here=_text(change.after), reason=change.why)


def _text(value: Json) -> str:
    text = _NONE if value is None else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def doubts_of(plan: Plan) -> list[str]:
    """List what a plan knows that cannot be promised, so that the result says it too."""
    return [
        *plan.not_guaranteed,
        *(f"the variable `{each}` was not set" for each in plan.not_carried_over),
        *(f"left out of the command: {each}" for each in plan.not_done_again),
        *(f"not known of the command: {each}" for each in plan.lost),
        *(f"the run saw your own {each}" for each in plan.shared),
        *(f"`{each.path}` could not be compared" for each in plan.local_inputs if each.state == "not compared"),
        *_of_source(plan),
    ]


def _of_source(plan: Plan) -> Iterator[str]:
    if plan.command_from == "outputs":
        yield "the command was worked out from what the harness wrote; neither source nor environment is recorded"
    for each in plan.checkouts:
        if each.commit is not None and each.tree is None and "submodule" not in each.used_as:
            yield f"that `{each.name}` at {each.commit[:12]} is what ran is your word"
