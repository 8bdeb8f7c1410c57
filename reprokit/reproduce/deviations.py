"""What a re-run had otherwise than the run, and what nobody can say of it: beside every verdict."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
    moved = {each.path for each in plan.local_inputs} | {each.here for each in plan.local_inputs}
    for change in difference.setup:
        if seen and change.area == "claims" and _VERSION.fullmatch(change.name):
            continue
        if plan.samples is not None and _OF_A_SUBSET.fullmatch(change.name):
            continue
        # The machine is told of in a comparison of its own.
        if any(place in change.name for place in moved) or change.area == "hardware":
            continue
        yield change


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
