"""An audit for the terminal: the answer, then the worst bundles, what to do about them, and the archive as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from reprokit.audit.shown.answer import answer
from reprokit.audit.shown.survey import Results, Survey, survey
from reprokit.audit.shown.told import OfCode, OfReason, Told, by_code, name, sentence
from reprokit.audit.shown.words import WORST, count, number, what_was_read
from reprokit.audit.statements import State
from reprokit.audit.values import Level, Summary
from reprokit.bundle.finding import CATALOGUE, hint

_MOST_EXAMPLES = 5
_MOST_REASONS = 5
_MARGIN = 12


def lines(summary: Summary, results: Results, *, most: int) -> Iterator[str]:
    """Write an audit as lines without line ends and without anything that a terminal acts upon.

    Args:
        summary: the head of the audit.
        results: what was found of each bundle, in any order; asked for once.
        most: how many of the worst bundles are told in full.
    """
    found = survey(results, most=most)
    yield answer(summary, found).sentence
    codes = by_code(summary.findings)
    if codes:
        yield ""
        yield "the archive itself"
        yield from _findings(codes)
    for told in found.worst:
        yield ""
        yield f"{told.bundle}: {told.state}"
        yield from _bundle(told)
    yield from _left_out(found)
    yield from _what_to_do(found, codes)
    yield ""
    yield from _archive(summary)


def _bundle(told: Told) -> Iterator[str]:
    codes = [code for outcome in told.outcomes for code in outcome.findings]
    yield from _findings(sorted(codes, key=lambda code: (code.severity, code.code)))
    reasons = sorted(
        (reason for outcome in told.outcomes for reason in outcome.unknown), key=lambda reason: -reason.number
    )
    for reason in reasons[:_MOST_REASONS]:
        yield f"  unknown {_unknown(reason)}"
    if rest := sum(reason.number for reason in reasons[_MOST_REASONS:]):
        yield f"  unknown … and {count(rest, 'thing')} more, for other reasons"


def _findings(codes: list[OfCode]) -> Iterator[str]:
    for code in codes:
        for place, example in enumerate(code.examples[:_MOST_EXAMPLES]):
            told = [] if place else [code.title]
            yield f"  {code.code} {': '.join([example.where, *told, *filter(None, [example.detail])])}"
        if code.number > _MOST_EXAMPLES:
            yield f"  {code.code} … and {number(code.number - _MOST_EXAMPLES)} more"


def _unknown(reason: OfReason) -> str:
    more = f" and {number(reason.number - 1)} more" if reason.number > 1 else ""
    return f"{reason.examples[0]}{more}: {reason.because}"


def _left_out(found: Survey) -> Iterator[str]:
    told: dict[State, int] = {}
    for each in found.worst:
        told[each.state] = told.get(each.state, 0) + 1
    rest = {
        state: amount - told.get(state, 0) for state, amount in found.states.items() if WORST[state] < WORST["good"]
    }
    if left := sum(rest.values()):
        kinds = ", ".join(
            f"{number(rest[state])} {state}" for state in sorted(rest, key=WORST.__getitem__) if rest[state]
        )
        yield ""
        yield f"… and {count(left, 'bundle')} more ({kinds}): `--json` and `--html FILE` tell of all"


def _what_to_do(found: Survey, codes: list[OfCode]) -> Iterator[str]:
    """Write for each code, once, how often it is there and what to do about it."""
    hints = {code.code: (code.severity, code.title, "the archive itself") for code in codes}
    hints |= {code.code: (code.severity, code.title, count(code.bundles, "bundle")) for code in found.codes}
    if hints or found.reasons:
        yield ""
        yield "what to do"
    for code, (_, title, where) in sorted(hints.items(), key=lambda each: (each[1][0], each[0])):
        yield f"  {code} {title} ({where})"
        if code in CATALOGUE:
            yield f"       {hint(code)}"
    for reason in found.reasons[:_MOST_REASONS]:
        yield f"  unknown in {count(reason.bundles, 'bundle')}: {reason.because}"
    if len(found.reasons) > _MOST_REASONS:
        yield f"  unknown … and {count(len(found.reasons) - _MOST_REASONS, 'reason')} more"


def _archive(summary: Summary) -> Iterator[str]:
    counts = summary.counts
    bundles = counts.all + summary.not_reached
    yield f"{'archive':{_MARGIN}} {name(summary.archive)}"
    yield (
        f"{'bundles':{_MARGIN}} {number(counts.error)} error, {number(counts.warning)} warning,"
        f" {number(counts.unknown)} unknown, {number(counts.good)} good"
    )
    yield f"{'read':{_MARGIN}} {what_was_read(summary)}"
    yield f"{'read whole':{_MARGIN}} {number(summary.read_whole)} of {count(bundles, 'bundle')}"
    if summary.resumed:
        yield f"{'resumed':{_MARGIN}} {count(summary.resumed, 'bundle')} had been done by an interrupted call"
    if summary.not_reached:
        yield f"{'not reached':{_MARGIN}} {count(summary.not_reached, 'bundle')}, by the budget or the sample"
    for remark in summary.remarks:
        yield f"{'remark':{_MARGIN}} {sentence(remark)}"
    yield from _grade(summary.grade)


def _grade(grade: list[Level]) -> Iterator[str]:
    if grade:
        yield "grade        of 4, by the NDSA Levels of Digital Preservation; and what keeps it from the next level"
    for level in grade:
        yield f"  {level.area:<10} {level.level}  {sentence(level.reason)}"
