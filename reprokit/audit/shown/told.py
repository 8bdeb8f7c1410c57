"""What was found of one bundle, made fit for showing.

A bundle may have a hundred thousand stray files, or three hundred packages that could not be asked about: like is put
together with a count and a few examples, so that what is held of a bundle has a bound. Every text in it is foreign:
what is not plainly visible is written out, and what is too long loses its middle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from reprokit.audit.shown.words import WORST, count
from reprokit.audit.statements import FAMILIES, Fact, Family, NotKnown, Outcome, State
from reprokit.audit.values import Audited, Level
from reprokit.bundle.finding import CATALOGUE, Finding
from reprokit.bundle.values import Digest, Time
from reprokit.diff.shown.legible import printable, shorten

MOST_EXAMPLES = 10
MOST_REASONS = 20
_NAME = 256
"""More than a file system takes, so that no two names of bundles are cut to the same text."""
_SENTENCE = 400
OTHER_REASONS = "of other reasons"


class Example(Struct, frozen=True, kw_only=True):
    """Where a finding lies; `detail` is what its message says beyond its title."""

    where: str
    detail: str


class OfCode(Struct, frozen=True, kw_only=True):
    """All findings of a code, of which the first few are held."""

    code: str
    severity: Literal["error", "warning"]
    title: str
    number: int
    examples: list[Example]


class OfReason(Struct, frozen=True, kw_only=True):
    """All that is not known for a reason, of which the first few are held."""

    because: str
    number: int
    examples: list[str]


class ToldOutcome(Struct, frozen=True, kw_only=True):
    """What a family of checks comes to."""

    family: Family
    state: State
    findings: list[OfCode]
    unknown: list[OfReason]
    facts: list[Fact]
    number_of_facts: int

    @property
    def number(self) -> int:
        """How many findings there are; where there are none, how many things are not known."""
        return sum(each.number for each in self.findings) or sum(each.number for each in self.unknown)


class Told(Struct, frozen=True, kw_only=True):
    """A bundle with an outcome for every family, in their order."""

    bundle: str
    state: State
    identity: Digest | None
    read: Literal["whole", "names", "nothing"]
    files: int
    octets: int
    at: Time
    grade: list[Level]
    outcomes: list[ToldOutcome]
    errors: int
    warnings: int
    unknown: int

    @property
    def worst_first(self) -> tuple[int, int, int, int, str]:
        """What to sort by."""
        return (WORST[self.state], -self.errors, -self.warnings, -self.unknown, self.bundle)

    @property
    def sums(self) -> str:
        """How much of what was found: `2 errors, 1 warning, 300 unknown`."""
        found = [
            *([count(self.errors, "error")] if self.errors else []),
            *([count(self.warnings, "warning")] if self.warnings else []),
            *([count(self.unknown, "unknown", "unknown")] if self.unknown else []),
        ]
        return ", ".join(found)


def name(text: str) -> str:
    """Write a foreign name: on one line, visible, and not too long."""
    return printable(shorten(text, _NAME)) or "(no name)"


def sentence(text: str) -> str:
    """Write a foreign sentence: on one line, visible, and not too long."""
    return printable(shorten(text, _SENTENCE))


def told(audited: Audited) -> Told:
    """Make what was found of a bundle fit for showing."""
    given = {each.family: each for each in audited.outcomes}
    outcomes = [_outcome(family, given.get(family)) for family in FAMILIES]
    codes = [code for outcome in outcomes for code in outcome.findings]
    return Told(
        bundle=name(audited.bundle),
        state=audited.state,
        identity=audited.identity,
        read=audited.read,
        files=audited.files,
        octets=audited.octets,
        at=audited.at,
        grade=audited.grade,
        outcomes=outcomes,
        errors=sum(code.number for code in codes if code.severity == "error"),
        warnings=sum(code.number for code in codes if code.severity == "warning"),
        unknown=sum(reason.number for outcome in outcomes for reason in outcome.unknown),
    )


def _outcome(family: Family, given: Outcome | None) -> ToldOutcome:
    if given is None:
        return ToldOutcome(family=family, state="not asked", findings=[], unknown=[], facts=[], number_of_facts=0)
    return ToldOutcome(
        family=family,
        state=given.state,
        findings=by_code(given.findings),
        unknown=list(_by_reason(given.unknown)),
        facts=[Fact(where=name(fact.where), told=sentence(fact.told)) for fact in given.facts[:MOST_EXAMPLES]],
        number_of_facts=len(given.facts),
    )


def by_code(findings: Iterable[Finding]) -> list[OfCode]:
    """Put findings of the same code together, errors first."""
    numbers: dict[tuple[Literal["error", "warning"], str], int] = {}
    examples: dict[tuple[Literal["error", "warning"], str], list[Example]] = {}
    for each in findings:
        key = (each.severity, each.code)
        numbers[key] = numbers.get(key, 0) + 1
        kept = examples.setdefault(key, [])
        if len(kept) < MOST_EXAMPLES:
            kept.append(Example(where=name(each.where), detail=_detail(each)))
    return [
        OfCode(code=code, severity=severity, title=title(code), number=amount, examples=examples[severity, code])
        for (severity, code), amount in sorted(numbers.items())
    ]


def title(code: str) -> str:
    """Say what a code means; a journal of a later version may hold codes that this one does not know."""
    return CATALOGUE[code][0] if code in CATALOGUE else "a code that this version of reprokit does not know"


def _detail(finding: Finding) -> str:
    start = CATALOGUE[finding.code][0] if finding.code in CATALOGUE else ""
    return sentence(finding.message.removeprefix(start).removeprefix(":").strip())


def _by_reason(unknown: list[NotKnown]) -> Iterator[OfReason]:
    numbers: dict[str, int] = {}
    examples: dict[str, list[str]] = {}
    for each in unknown:
        because = sentence(each.because)
        if because not in numbers and len(numbers) >= MOST_REASONS:
            because = OTHER_REASONS
        numbers[because] = numbers.get(because, 0) + 1
        kept = examples.setdefault(because, [])
        if len(kept) < MOST_EXAMPLES:
            kept.append(name(each.where))
    for because, amount in sorted(numbers.items(), key=lambda found: (-found[1], found[0])):
        yield OfReason(because=because, number=amount, examples=examples[because])
