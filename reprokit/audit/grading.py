"""Grading: the NDSA Levels of Digital Preservation, version 2 (2019), as far as an audit can tell.

Five areas, four levels each; a level counts when those below it are reached. The Levels speak of organisations; what is
graded here is what can be seen of one bundle in one archive. Where it cannot be seen, the level is not given, and the
reason says so: a grade is never better than what is known.

- storage: 1 two whole copies at two locations; 2 three; 3 one behind another threat and on another medium;
  4 three locations, each with a threat of its own.
- integrity: 1 the bytes are those captured; 2 their digests are kept apart from them, in git; 3 read whole as often as
  the policy says; 4 every byte of another copy was read, from which damage can be replaced.
- control: 1 nobody but its owner and group can write to the archive; 2 signed by a key that counts; 3 the ledger of
  actions is whole; 4 it was read whole by an audit before.
- metadata: 1 it stands in the catalog as it is; 2 its records can be read; 3 nothing about code, model or data is
  missing; 4 what was done about it is recorded.
- content: 1 its formats are recorded; 2 they were checked, and are sound; 3 obsolescence was looked for, and none
  found; 4 its run was reproduced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reprokit.audit.policy import Place, Policy
from reprokit.audit.statements import Family, Outcome
from reprokit.audit.values import AREAS, Area, Level

_GAPS = frozenset({
    "W301", "W309", "W310", "W311", "W313", "W314", "W316", "W317", "W330", "W331", "W332", "W333", "W335", "W337",
    "W338", "W339", "W340", "W341",
})  # fmt: skip
"""What a capture noted as missing about code, model or data."""
_TWO, _THREE = 2, 3

Step = str | None
"""What keeps a bundle from a level; `None` when it has it."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of a bundle besides what the families have said.

    `places` are those known to hold a whole copy, if only by names and sizes, `proven` those of which every byte was
    read, `noted` are the codes that the capture noted. `read_in_time` is `None` where no policy says how often.
    """

    places: Sequence[str]
    proven: Sequence[str]
    noted: frozenset[str]
    read_in_time: bool | None
    reproduced: bool
    ledger_whole: bool
    guarded: bool
    audited_before: bool
    actions: bool


def levels(outcomes: Mapping[Family, Outcome], evidence: Evidence, policy: Policy) -> list[Level]:
    """Grade a bundle in every area."""
    steps = {
        "storage": _storage(evidence.places, policy),
        "integrity": _integrity(outcomes, evidence),
        "control": _control(outcomes, evidence),
        "metadata": _metadata(outcomes, evidence),
        "content": _content(outcomes, evidence),
    }
    return [_level(area, steps[area]) for area in AREAS]


def _level(area: Area, steps: Iterator[Step]) -> Level:
    reached = 0
    for missing in steps:
        if missing is not None:
            return Level(area=area, level=reached, reason=missing)
        reached += 1
    return Level(area=area, level=reached, reason="all four levels")


def _state(outcomes: Mapping[Family, Outcome], family: Family, codes: tuple[str, ...] = ()) -> Step:
    """Say what a family has against a level; with `codes`, only findings that begin so count."""
    found = outcomes.get(family)
    if found is None:
        return f"{family} was not looked at"
    wrong = [each for each in found.findings if not codes or each.code.startswith(codes)]
    if wrong:
        return f"{wrong[0].code} {wrong[0].where}: {wrong[0].message}"
    if found.unknown and not codes:
        return f"not known of {found.unknown[0].where}: {found.unknown[0].because}"
    return None


def _storage(places: Sequence[str], policy: Policy) -> Iterator[Step]:
    told = f"known: {', '.join(places)}" if places else "no copy is known to be whole"
    described = [policy.places.get(each.rpartition(" ")[2], Place()) for each in places]
    locations = {each.location for each in described if each.location}
    threats = {each.threat for each in described if each.threat}
    media = {each.medium for each in described if each.medium}
    yield f"two whole copies; {told}" if len(places) < _TWO else _apart(locations)
    yield f"three whole copies; {told}" if len(places) < _THREE else None
    yield None if min(len(threats), len(media)) >= _TWO else "another threat and medium; `[audit.places]` tells of none"
    yield None if min(len(locations), len(threats)) >= _THREE else "three locations, each with a threat of its own"


def _apart(locations: Collection[str]) -> Step:
    return None if len(locations) >= _TWO else "one at another location; `[audit.places]` does not tell of one"


def _integrity(outcomes: Mapping[Family, Outcome], evidence: Evidence) -> Iterator[Step]:
    yield _state(outcomes, "fixity")
    yield _state(outcomes, "fixity", ("E107", "E108"))
    match evidence.read_in_time:
        case None:
            yield "read whole at fixed intervals; the policy has no `read_every`"
        case False:
            yield "it was not read whole in the time that the policy sets"
        case True:
            yield None
    yield None if len(evidence.proven) >= _TWO else "another copy of which every byte was read; see `--deep`"


def _control(outcomes: Mapping[Family, Outcome], evidence: Evidence) -> Iterator[Step]:
    yield (None if evidence.guarded else "only its owner and group may write to it; others can write to a folder of it")
    missing = _state(outcomes, "signatures")
    signed = (
        any(each.told.startswith("signed by") for each in outcomes["signatures"].facts) if missing is None else True
    )
    yield missing if signed else "a signature by a key that counts; there is none"
    yield None if evidence.ledger_whole else "a whole ledger; a file of it is damaged"
    yield None if evidence.audited_before else "a review from time to time; no audit has read it whole before"


def _metadata(outcomes: Mapping[Family, Outcome], evidence: Evidence) -> Iterator[Step]:
    yield _state(outcomes, "fixity", ("E108", "E106"))
    yield _state(outcomes, "format", ("E2", "E490"))
    gaps = sorted(_GAPS & evidence.noted)
    if gaps:
        yield f"nothing missing about code, model and data; the capture noted {', '.join(gaps)}"
    yield _state(outcomes, "identifiers")
    yield (None if evidence.actions else "a record of what was done about it; the ledger holds capture and audits only")


def _content(outcomes: Mapping[Family, Outcome], evidence: Evidence) -> Iterator[Step]:
    yield _state(outcomes, "format", ("E206", "E490"))
    yield _state(outcomes, "format") or _state(outcomes, "consistency")
    yield _state(outcomes, "obsolescence") or _state(outcomes, "recoverability")
    yield None if evidence.reproduced else "a reproduction that came out the same; the ledger holds none"


@dataclass
class Archive:
    """The grade of an archive: in each area that of its weakest bundle, and how many stand there."""

    bundles: int = 0
    _at: dict[Area, dict[int, int]] = field(default_factory=lambda: {area: {} for area in AREAS})
    _reasons: dict[tuple[Area, int], str] = field(default_factory=dict)

    def add(self, found: Sequence[Level]) -> None:
        """Take in the grade of a bundle."""
        self.bundles += 1
        for each in found:
            counts = self._at[each.area]
            counts[each.level] = counts.get(each.level, 0) + 1
            self._reasons.setdefault((each.area, each.level), each.reason)

    def levels(self) -> list[Level]:
        """Give the grade; nothing when no bundle was graded."""
        return [self._of(area) for area in AREAS if self._at[area]]

    def _of(self, area: Area) -> Level:
        counts = self._at[area]
        lowest = min(counts)
        share = "" if self.bundles == 1 else f"{counts[lowest]} of {self.bundles} bundles: "
        return Level(area=area, level=lowest, reason=share + self._reasons[area, lowest])
