"""What an audit returns: a result for each bundle, which may be many, and one head over all of them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from reprokit.audit.statements import Outcome, State
from reprokit.bundle.finding import Finding
from reprokit.bundle.values import Digest, Time

SCHEMA = "https://w3id.org/reprokit/v1/audit.schema.json"

Area = Literal["storage", "integrity", "control", "metadata", "content"]
AREAS: tuple[Area, ...] = ("storage", "integrity", "control", "metadata", "content")
"""The functional areas of the NDSA Levels of Digital Preservation, version 2 (2019)."""


class Level(Struct, frozen=True, kw_only=True):
    """How far a bundle has come in one area of the NDSA Levels: 0 to 4, and what keeps it from the next."""

    area: Area
    level: Annotated[int, Meta(ge=0, le=4)]
    reason: str


class Audited(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an audit found of one bundle."""

    bundle: str
    identity: Digest | None
    state: Annotated[State, Meta(description="of the worst family")]
    read: Annotated[
        Literal["whole", "names", "nothing"],
        Meta(description="`whole`: every byte; `names`: names and sizes only; `nothing`: it is not in this copy"),
    ]
    files: Annotated[int, Meta(description="files that were read whole")] = 0
    octets: Annotated[int, Meta(description="bytes that were read")] = 0
    at: Annotated[Time, Meta(description="when this was found")]
    outcomes: list[Outcome]
    grade: list[Level] = []


class Counts(Struct, frozen=True, kw_only=True):
    """How many bundles there are of each state."""

    error: int = 0
    warning: int = 0
    unknown: int = 0
    good: int = 0

    @property
    def all(self) -> int:
        """How many there are altogether."""
        return self.error + self.warning + self.unknown + self.good


class Summary(Struct, frozen=True, kw_only=True):
    """The head of an audit; `findings` are those about the archive itself and no bundle of it."""

    archive: str
    started: Time
    ended: Time
    counts: Counts
    read_whole: Annotated[int, Meta(description="bundles of which every byte was read")] = 0
    files: int = 0
    octets: int = 0
    resumed: Annotated[int, Meta(description="bundles that an earlier, interrupted call had done")] = 0
    not_reached: Annotated[int, Meta(description="bundles that the budget or the sample left out")] = 0
    findings: list[Finding] = []
    grade: list[Level] = []
    remarks: list[str] = []


class Report(Struct, frozen=True, kw_only=True):
    """A whole audit, as `reprokit audit --json` prints it."""

    schema: str = SCHEMA
    summary: Summary
    bundles: list[Audited]


class Past(Struct, frozen=True, kw_only=True):
    """What the ledger holds of an earlier audit."""

    time: Time
    counts: Counts
    read_whole: int
