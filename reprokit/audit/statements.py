"""What a check of an audit may say: a finding, or that something is not known, and why."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import Meta, Struct

from reprokit.bundle.finding import Finding

Family = Literal[
    "fixity",
    "format",
    "consistency",
    "privacy",
    "signatures",
    "copies",
    "identifiers",
    "recoverability",
    "obsolescence",
    "freshness",
]

FAMILIES: tuple[Family, ...] = get_args(Family)
"""In the order in which they are told: the bytes first, then the world around them."""

State = Literal["error", "warning", "unknown", "good", "not asked"]
"""What a family comes to, worst first. What is not known is neither good nor bad."""


class NotKnown(Struct, frozen=True, kw_only=True, order=True):
    """Something that a check could not find out."""

    where: Annotated[str, Meta(description="what it is about", examples=["numpy==2.3.1"])]
    because: Annotated[str, Meta(examples=["the package index did not answer"])]


class Fact(Struct, frozen=True, kw_only=True, order=True):
    """Something that was found to be well, where it says more than that nothing is wrong."""

    where: str
    told: Annotated[str, Meta(examples=["signed by ada@example.org"])]


Statement: TypeAlias = Finding | NotKnown | Fact
"""One thing that a check says. A check that yields nothing has found all of it well."""


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one family of checks comes to for one bundle."""

    family: Family
    state: State
    findings: list[Finding] = []
    unknown: list[NotKnown] = []
    facts: list[Fact] = []


def outcome(family: Family, statements: list[Statement]) -> Outcome:
    """Sum up what a family of checks has said; each thing once."""
    findings = sorted({each for each in statements if isinstance(each, Finding)})
    unknown = sorted({each for each in statements if isinstance(each, NotKnown)})
    facts = sorted({each for each in statements if isinstance(each, Fact)})
    return Outcome(family=family, state=_state(findings, unknown), findings=findings, unknown=unknown, facts=facts)


def _state(findings: list[Finding], unknown: list[NotKnown]) -> State:
    severities = {each.severity for each in findings}
    if "error" in severities:
        return "error"
    if "warning" in severities:
        return "warning"
    return "unknown" if unknown else "good"
