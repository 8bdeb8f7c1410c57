"""An audit as JUnit XML, for what shows the tests of a build.

It keeps to what both readers' schemas allow, the one of Ant and the stricter one of Jenkins: a suite for each bundle,
a case for each family of checks. An error is a failure; a warning is told in the suite's output, and is a failure only
where that is asked for; what is not known or was not asked is skipped, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from reprokit.audit.shown.survey import Results
from reprokit.audit.shown.told import OfCode, OfReason, Told, ToldOutcome, by_code, name, sentence, told
from reprokit.audit.shown.words import count, number, seconds_of
from reprokit.audit.statements import State
from reprokit.audit.values import Summary

_PACKAGE = "reprokit.audit"
_TO_THE_SECOND = len("2026-11-23T03:15:47")


class _Case(Struct, frozen=True, kw_only=True):
    """A test: it failed of `error` or of `warning`, was skipped for a reason, or went well with some lines to say."""

    title: str
    failed: State | None = None
    skipped: str | None = None
    lines: list[str]


def write(stream: TextIO, summary: Summary, results: Results, *, strict: bool = False) -> None:
    """Write an audit as JUnit XML, a bundle at a time.

    Args:
        stream: takes the text, which is to be stored as UTF-8.
        summary: the head of the audit.
        results: what was found of each bundle; asked for once, and written in its order.
        strict: count warnings as failures.
    """
    stream.write('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n')
    archive = _archive(summary, strict=strict)
    _suite(stream, 0, f"archive {name(summary.archive)}", summary.started, archive, seconds_of(summary))
    for place, audited in enumerate(results(), start=1):
        bundle = told(audited)
        cases = [_family(outcome, strict=strict) for outcome in bundle.outcomes]
        _suite(stream, place, bundle.bundle, bundle.at, cases, 0.0, _properties(bundle))
    stream.write("</testsuites>\n")


def _archive(summary: Summary, *, strict: bool) -> list[_Case]:
    found = by_code(summary.findings)
    left = summary.not_reached
    reached = f"{count(left, 'bundle')} left out by the budget or the sample" if left else None
    lines = list(_found(found))
    return [
        _Case(
            title="the archive itself", failed=_failed({code.severity for code in found}, strict=strict), lines=lines
        ),
        _Case(title="every bundle was reached", skipped=reached, lines=[sentence(each) for each in summary.remarks]),
    ]


def _family(outcome: ToldOutcome, *, strict: bool) -> _Case:
    unknown = list(_unknown(outcome.unknown))
    lines = [*_found(outcome.findings), *unknown]
    failed = _failed({outcome.state}, strict=strict)
    skipped = None
    if outcome.state == "not asked":
        skipped = "; ".join(["not asked for", *unknown])
    elif outcome.state == "unknown":
        skipped = "; ".join(unknown) or "not known"
    return _Case(title=outcome.family, failed=failed, skipped=skipped, lines=lines)


def _failed(states: set[State], *, strict: bool) -> State | None:
    if "error" in states:
        return "error"
    return "warning" if strict and "warning" in states else None


def _found(codes: list[OfCode]) -> Iterator[str]:
    for code in codes:
        for example in code.examples:
            yield f"{code.code} {example.where}: {': '.join(filter(None, [code.title, example.detail]))}"
        if rest := code.number - len(code.examples):
            yield f"{code.code} … and {number(rest)} more"


def _unknown(reasons: list[OfReason]) -> Iterator[str]:
    for reason in reasons:
        more = f" and {number(reason.number - 1)} more" if reason.number > 1 else ""
        yield f"unknown: {reason.examples[0]}{more}: {reason.because}"


def _properties(bundle: Told) -> list[tuple[str, str]]:
    levels = [(f"level of {level.area}", f"{level.level}: {sentence(level.reason)}") for level in bundle.grade]
    return [("identity", bundle.identity or "not known"), ("read", bundle.read), *levels]


def _suite(
    stream: TextIO,
    place: int,
    title: str,
    at: str,
    cases: list[_Case],
    seconds: float,
    properties: list[tuple[str, str]] | None = None,
) -> None:
    attributes = {
        "name": title,
        "package": _PACKAGE,
        "id": str(place),
        # Ant's schema allows no time zone; it is UTC.
        "timestamp": at[:_TO_THE_SECOND],
        "hostname": "localhost",
        "tests": str(len(cases)),
        "failures": str(sum(case.failed is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.failed is None and case.skipped is not None for case in cases)),
        "time": f"{seconds:.3f}",
    }
    stream.write(f"<testsuite{_attributes(attributes)}>\n<properties>\n")
    stream.writelines(f"<property{_attributes({'name': key, 'value': value})}/>\n" for key, value in properties or [])
    stream.write("</properties>\n")
    stream.writelines(_case(case, title) for case in cases)
    said = [f"{case.title}: {line}" for case in cases if case.failed is None for line in case.lines]
    stream.write(f"<system-out>{escape(chr(10).join(said))}</system-out>\n<system-err/>\n</testsuite>\n")


def _case(case: _Case, bundle: str) -> str:
    start = f"<testcase{_attributes({'name': case.title, 'classname': bundle, 'time': '0'})}"
    if case.failed is not None:
        fault = {"message": case.lines[0] if case.lines else case.failed, "type": case.failed}
        return f"{start}><failure{_attributes(fault)}>{escape(chr(10).join(case.lines))}</failure></testcase>\n"
    if case.skipped is not None:
        return f"{start}><skipped{_attributes({'message': case.skipped})}/></testcase>\n"
    return f"{start}/>\n"


def _attributes(given: dict[str, str]) -> str:
    return "".join(f" {key}={quoteattr(value)}" for key, value in given.items())
