"""One look over all bundles of an audit: how many of what, and the worst of them. What it keeps has a bound."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from msgspec import Struct

from reprokit.audit.shown.told import OTHER_REASONS, Told, title, told
from reprokit.audit.shown.words import WORST
from reprokit.audit.statements import FAMILIES, Family, State
from reprokit.audit.values import Audited
from reprokit.bundle.finding import CATALOGUE, hint

Results: TypeAlias = Callable[[], Iterator[Audited]]
"""Gives what was found of each bundle, in any order, as often as it is asked."""

_MOST_REASONS = 40


class CodeSum(Struct, frozen=True, kw_only=True):
    """How often a code was found in all bundles, and the example whose bundle and place come first."""

    code: str
    severity: Literal["error", "warning"]
    title: str
    hint: str
    bundles: int
    number: int
    example: tuple[str, str]


class ReasonSum(Struct, frozen=True, kw_only=True):
    """How much is not known for a reason in all bundles, and the example that comes first."""

    because: str
    bundles: int
    number: int
    example: tuple[str, str]


class Survey(Struct, frozen=True, kw_only=True):
    """What a look over all bundles gives."""

    families: dict[Family, Counter[State]]
    states: Counter[State]
    codes: list[CodeSum]
    """Errors first, then by the number of bundles."""
    reasons: list[ReasonSum]
    worst: list[Told]


class _Sum:
    """How much there is of one kind."""

    def __init__(self) -> None:
        self.bundles = 0
        self.number = 0
        self.example: tuple[str, str] | None = None

    def add(self, bundle: str, amounts: list[tuple[int, str]]) -> None:
        example = (bundle, min(where for _, where in amounts))
        self.bundles += 1
        self.number += sum(number for number, _ in amounts)
        self.example = example if self.example is None else min(self.example, example)

    @property
    def first(self) -> tuple[str, str]:
        return self.example or ("", "")


def survey(results: Results, *, most: int, good: bool = False) -> Survey:
    """Look over all bundles once.

    Args:
        results: what was found of each bundle.
        most: how many of the worst bundles to keep.
        good: whether to keep those, too, that are good.
    """
    looking = _Looking()
    shown = (each for each in looking.over(results()) if good or WORST[each.state] < WORST["good"])
    worst = heapq.nsmallest(max(most, 1), shown, key=lambda each: each.worst_first)[:most]
    return Survey(
        families=looking.families,
        states=looking.states,
        codes=looking.codes(),
        reasons=looking.reasons(),
        worst=worst,
    )


class _Looking:
    def __init__(self) -> None:
        self.families: dict[Family, Counter[State]] = {family: Counter() for family in FAMILIES}
        self.states: Counter[State] = Counter()
        self._codes: dict[tuple[Literal["error", "warning"], str], _Sum] = {}
        self._reasons: dict[str, _Sum] = {}

    def over(self, results: Iterator[Audited]) -> Iterator[Told]:
        """Count each bundle as it passes."""
        for audited in results:
            found = told(audited)
            self.states[found.state] += 1
            for outcome in found.outcomes:
                self.families[outcome.family][outcome.state] += 1
            self._count(found)
            yield found

    def _count(self, found: Told) -> None:
        """Count a bundle once for each code and each reason, in however many families they occur."""
        codes: dict[tuple[Literal["error", "warning"], str], list[tuple[int, str]]] = {}
        reasons: dict[str, list[tuple[int, str]]] = {}
        for outcome in found.outcomes:
            for code in outcome.findings:
                codes.setdefault((code.severity, code.code), []).append((code.number, code.examples[0].where))
            for reason in outcome.unknown:
                because = reason.because if self._has_room(reason.because) else OTHER_REASONS
                reasons.setdefault(because, []).append((reason.number, reason.examples[0]))
        for key, amounts in codes.items():
            self._codes.setdefault(key, _Sum()).add(found.bundle, amounts)
        for because, amounts in reasons.items():
            self._reasons.setdefault(because, _Sum()).add(found.bundle, amounts)

    def _has_room(self, because: str) -> bool:
        return because in self._reasons or len(self._reasons) < _MOST_REASONS

    def codes(self) -> list[CodeSum]:
        found = [
            CodeSum(
                code=code,
                severity=severity,
                title=title(code),
                hint=hint(code) if code in CATALOGUE else "read it with the version that wrote it",
                bundles=amount.bundles,
                number=amount.number,
                example=amount.first,
            )
            for (severity, code), amount in self._codes.items()
        ]
        return sorted(found, key=lambda each: (each.severity, -each.bundles, each.code))

    def reasons(self) -> list[ReasonSum]:
        found = [
            ReasonSum(because=because, bundles=amount.bundles, number=amount.number, example=amount.first)
            for because, amount in self._reasons.items()
        ]
        return sorted(found, key=lambda each: (-each.bundles, each.because))
