"""A set-up as a flat table of facts, and two such tables weighed against each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from reprokit.bundle import canonical
from reprokit.bundle.values import Json, Unknown
from reprokit.diff.difference import Change, Ignored, Kind, NotCompared
from reprokit.diff.setup import effects, noise
from reprokit.diff.setup.places import Places

WHOLE_AREA = "*"
AREAS = (
    "run",
    "invocation",
    "inputs",
    "working directory",
    "environment variables",
    "determinism",
    "launcher",
    "harness",
    "claims",
    "tasks",
    "models",
    "datasets",
    "source",
    "packages",
    "python",
    "modules",
    "loaded from cache",
    "torch",
    "platform",
    "hardware",
    "container",
)
_PLAIN_KEY = re.compile(r"[\w-]+")


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One thing that a side says of its set-up.

    `alike` is the form that is compared, where it is not `value` itself: two facts with different values and equal
    forms differ by noise, which `rule` names. A `dispensable` fact is noise even if the other side has none like it. A
    fact that `depends_on` another of its area is not looked at when that one differs already. `note` goes with a
    change.
    """

    area: str
    name: str
    value: Json
    alike: Json = None
    rule: str | None = None
    dispensable: bool = False
    depends_on: str | None = None
    note: str | None = None

    @property
    def compared(self) -> Json:
        """The form that is compared."""
        return self.value if self.alike is None else self.alike


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """What came of weighing two tables of facts."""

    changes: tuple[Change, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    not_compared: tuple[NotCompared, ...] = field(default=())


Found = Change | Ignored | NotCompared
Table = dict[tuple[str, str], Fact]


def _members(value: Json) -> list[tuple[str, Json]]:
    """List what a JSON value is entered for: the members of an object, and of a list that holds objects."""
    if isinstance(value, dict):
        return [(key if _PLAIN_KEY.fullmatch(key) else f"`{key}`", item) for key, item in value.items()]
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return [(str(number), item) for number, item in enumerate(value)]
    return []


def flatten(value: Json, name: str = "") -> Iterator[tuple[str, Json]]:
    """Yield the leaves of a JSON value with their dotted paths; a key that is no plain word is quoted.

    A list is a leaf as a whole, unless it holds objects.
    """
    members = _members(value)
    if not members:
        yield name, value
    for key, item in members:
        yield from flatten(item, f"{name}.{key}" if name else key)


def table(area: str, value: Json, prefix: str = "") -> Iterator[Fact]:
    """Yield one fact for each leaf of a JSON object."""
    if value:
        for name, leaf in flatten(value):
            yield Fact(area=area, name=f"{prefix}{name}", value=leaf)


def map_text(value: Json, change: Callable[[str], str]) -> Json:
    """Copy a JSON value with every text in it changed; keys stay."""
    match value:
        case str():
            return change(value)
        case list():
            return [map_text(item, change) for item in value]
        case dict():
            return {key: map_text(item, change) for key, item in value.items()}
        case _:
            return value


def same(one: Json, other: Json) -> bool:
    """Tell whether two JSON values are the same: `1` and `1.0` are not, two `NaN` are."""
    return canonical.line(one) == canonical.line(other)


def _without_noise(value: Json, places: Places) -> tuple[Json, set[str]]:
    used: set[str] = set()

    def clean(text: str) -> str:
        text, found = places.named(text)
        if found:
            used.add(noise.PLACE)
        text, rules = noise.without_noise(text)
        used.update(rules)
        return text

    return map_text(value, clean), used


def _keyed(facts: Iterable[Fact]) -> Table:
    keyed: Table = {}
    for fact in facts:
        name, number = fact.name, 1
        while (fact.area, name) in keyed:
            number += 1
            name = f"{fact.name} ({number})"
        keyed[fact.area, name] = fact
    return keyed


def _kind(before: Fact | None, after: Fact | None) -> Kind:
    if before is None:
        return "added"
    return "removed" if after is None else "changed"


def _value(fact: Fact | None) -> Json:
    return None if fact is None or isinstance(fact.value, Unknown) else fact.value


def _ignored(key: tuple[str, str], before: Fact | None, after: Fact | None, rules: set[str]) -> Ignored:
    named = sorted(rules)
    return Ignored(
        area=key[0],
        name=key[1],
        kind=_kind(before, after),
        before=_value(before),
        after=_value(after),
        rules=named,
        reason=noise.reason(named),
    )


def _not_compared(key: tuple[str, str], before: Fact | None, after: Fact | None) -> NotCompared | None:
    reasons = [fact.value.unknown if fact and isinstance(fact.value, Unknown) else None for fact in (before, after)]
    known = sorted({reason for reason in reasons if reason is not None})
    if not known:
        return None
    where: Literal["a", "b", "both"] = "both" if None not in reasons else "b" if reasons[0] is None else "a"
    return NotCompared(area=key[0], name=key[1], unknown_in=where, reason="; ".join(known))


def _rules(before: Fact | None, after: Fact | None, places: tuple[Places, Places]) -> set[str] | None:
    """Name the rules by which a difference is noise; `None` when it is none."""
    there = [fact for fact in (before, after) if fact is not None]
    if all(fact.dispensable for fact in there):
        return {fact.rule for fact in there if fact.rule}
    if before is None or after is None:
        return None
    (left, used), (right, more) = (
        _without_noise(fact.compared, place) for fact, place in zip((before, after), places, strict=True)
    )
    if not same(left, right):
        return None
    return used | more | {fact.rule for fact in there if fact.rule}


def _weigh(
    key: tuple[str, str], before: Fact | None, after: Fact | None, places: tuple[Places, Places]
) -> Found | None:
    if before and after and same(before.value, after.value) and not isinstance(before.value, Unknown):
        return None
    rule = noise.field_rule(*key)
    if rule is not None:
        return None if same(_value(before), _value(after)) else _ignored(key, before, after, {rule})
    unknown = _not_compared(key, before, after)
    if unknown is not None:
        return unknown
    rules = _rules(before, after, places)
    if rules is not None:
        return _ignored(key, before, after, rules)
    note = next((fact.note for fact in (before, after) if fact and fact.note), None)
    change = Change(
        area=key[0], name=key[1], kind=_kind(before, after), before=_value(before), after=_value(after), note=note
    )
    return effects.judged(change)


def _hidden_by_unknown(key: tuple[str, str], a: Table, b: Table) -> bool:
    """Tell whether a side knows nothing of the whole area, so that the other's single facts have no counterpart."""
    area, name = key
    return name != WHOLE_AREA and ((area, WHOLE_AREA) in a or (area, WHOLE_AREA) in b)


def _order(key: tuple[str, str]) -> tuple[int, str, str]:
    area, name = key
    return AREAS.index(area) if area in AREAS else len(AREAS), area, name


def _ranked(changes: Iterable[Change]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: (effects.rank(change), _order((change.area, change.name)))))


def weigh(a: Iterable[Fact], b: Iterable[Fact], places: tuple[Places, Places]) -> Weighed:
    """Weigh the facts of two sides: what changed, what is noise, what at least one side does not know.

    Changes come with their effect, the most likely to move a score first, and then in the order of the areas. An area
    of which one side says `Unknown` under the name `*` is not compared at all.
    """
    before, after = _keyed(a), _keyed(b)
    found: dict[tuple[str, str], Found] = {}
    for key in sorted(before.keys() | after.keys(), key=_order):
        if _hidden_by_unknown(key, before, after):
            continue
        one, other = before.get(key), after.get(key)
        needed = next((fact.depends_on for fact in (one, other) if fact and fact.depends_on), None)
        if needed is not None and isinstance(found.get((key[0], needed)), Change):
            continue
        outcome = _weigh(key, one, other, places)
        if outcome is not None:
            found[key] = outcome
    return Weighed(
        changes=_ranked(item for item in found.values() if isinstance(item, Change)),
        ignored=tuple(item for item in found.values() if isinstance(item, Ignored)),
        not_compared=tuple(item for item in found.values() if isinstance(item, NotCompared)),
    )


def combine(parts: Iterable[Weighed]) -> Weighed:
    """Put several outcomes into one, in the order that each of them has."""
    whole = list(parts)
    return Weighed(
        changes=_ranked(change for part in whole for change in part.changes),
        ignored=tuple(sorted((i for part in whole for i in part.ignored), key=lambda i: _order((i.area, i.name)))),
        not_compared=tuple(
            sorted((n for part in whole for n in part.not_compared), key=lambda n: _order((n.area, n.name)))
        ),
    )
