"""The answer of an audit in one sentence: is the archive whole, and is there anything to see to?"""

from __future__ import annotations

from msgspec import Struct

from reprokit.audit.shown.survey import Survey
from reprokit.audit.shown.words import WORST, count, number
from reprokit.audit.statements import State
from reprokit.audit.values import Summary


class Answer(Struct, frozen=True, kw_only=True):
    """The state of the whole archive, and the sentence that says it."""

    state: State
    sentence: str


def answer(summary: Summary, found: Survey) -> Answer:
    """Say how it stands with an archive.

    It is called whole only where no bundle was left out and the fixity of each was found well: what was not looked at
    is neither good nor bad.
    """
    bundles = summary.counts.all + summary.not_reached
    fixity = found.families["fixity"]
    damaged, kept = fixity["error"], fixity["good"] + fixity["warning"]
    if not bundles:
        lead, state = "there is no bundle to audit", _worst(summary, found, certain=True)
    else:
        lead = _lead(bundles, damaged, kept, summary)
        state = _worst(summary, found, certain=kept + damaged == bundles)
    return Answer(state=state, sentence="; ".join([lead, *_archive(summary), *_beyond(found, damaged)]))


def _lead(bundles: int, damaged: int, kept: int, summary: Summary) -> str:
    if damaged:
        are = "is not as it was captured" if damaged == 1 else "are not as they were captured"
        return f"not whole: {number(damaged)} of {count(bundles, 'bundle')} {are}"
    if kept == bundles == summary.read_whole:
        if bundles == 1:
            return "whole: every byte of its one bundle was read, and is what was captured"
        return f"whole: every byte of its {count(bundles, 'bundle')} was read, and is what was captured"
    if kept == bundles:
        read = f"every byte was read of {number(summary.read_whole)} this time"
        return f"no damage found in {count(bundles, 'bundle')}; {read}"
    if not kept:
        return "not known to be whole: no bundle was checked"
    checked = f"only {number(kept)} of {count(bundles, 'bundle')} {'was' if kept == 1 else 'were'} checked"
    whole = "" if summary.read_whole == kept else f", and every byte was read of {number(summary.read_whole)}"
    return f"no damage found, but {checked}{whole}"


def _archive(summary: Summary) -> list[str]:
    errors = sum(each.severity == "error" for each in summary.findings)
    return [f"the archive itself has {count(errors, 'error')}"] if errors else []


def _beyond(found: Survey, damaged: int) -> list[str]:
    """Tell of the worst there is beside damage."""
    if (others := found.states["error"] - damaged) > 0:
        more = " more" if damaged else ""
        return [f"{number(others)}{more} {'has' if others == 1 else 'have'} errors"]
    if not damaged and (warned := found.states["warning"]):
        return [f"{number(warned)} {'has' if warned == 1 else 'have'} warnings"]
    return []


def _worst(summary: Summary, found: Survey, *, certain: bool) -> State:
    states: list[State] = [state for state, amount in found.states.items() if amount and state != "not asked"]
    states += [each.severity for each in summary.findings]
    return min([*states, "good" if certain else "unknown"], key=lambda state: WORST[state])
