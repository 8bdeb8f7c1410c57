"""What came of copying bundles to mirrors, as a value: what `push --mirror --json` and `sync --json` print."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from reprokit.bundle.finding import Finding
from reprokit.errors import ExitCode
from reprokit.mirrors.interface import Exported, Receipt
from reprokit.outbox.waiting import Damaged

SCHEMA = "https://w3id.org/reprokit/v1/mirroring.schema.json"

Outcome = Literal[
    "sent",
    "updated",
    "there",
    "exported",
    "disabled",
    "held",
    "waiting",
    "busy",
    "absent",
    "refused",
    "damaged",
    "failed",
]
MIRRORED: frozenset[Outcome] = frozenset({"sent", "updated", "there"})
"""The mirror holds the bundle, by its own word, and the ledger says so."""
PERSONS: frozenset[Outcome] = frozenset({"refused", "damaged", "failed"})
"""It needs a person; time alone does not heal it."""


class Delivery(Struct, frozen=True, kw_only=True):
    """What came of one bundle. Unless it is mirrored, or its mirror is disabled, it waits in the outbox."""

    bundle: Annotated[str, Meta(description="bundle id")]
    mirror: Annotated[str, Meta(examples=["wandb"])]
    address: Annotated[str | None, Meta(description="of the mirror, without credentials")] = None
    outcome: Annotated[
        Outcome,
        Meta(
            description="`sent`: mirrored now; `updated`: it was there, its labels were not; `there`: all of it was; "
            "`exported`: written for the mirror's own program; `disabled`: it was asked "
            "for while mirroring was disabled; `held`: mirroring is disabled here; `waiting`: it cannot be sent now; "
            "`busy`: another process is at it; `absent`: its files are not in this copy of the archive; `refused`: it "
            "needs a person; `damaged`: it, or what arrived, is not what was captured; `failed`: something here failed"
        ),
    ]
    receipt: Annotated[Receipt | None, Meta(description="what the mirror says it holds")] = None
    exported: Annotated[Exported | None, Meta(description="what waits for the mirror's own program")] = None
    findings: Annotated[list[Finding], Meta(description="what is wrong with the bundle")] = []
    reason: Annotated[str | None, Meta(description="why it is not mirrored")] = None
    hint: Annotated[str | None, Meta(description="what to do about it")] = None
    exit_code: Annotated[int, Meta(description="the exit code that this stands for; 0 when nothing is amiss")] = 0


class Mirrored(Struct, frozen=True, kw_only=True):
    """What came of carrying out what waits in the outbox."""

    schema: str = SCHEMA
    bundles: list[Delivery]
    damaged: Annotated[list[Damaged], Meta(description="files of the outbox that say nothing")] = []
    uncommitted: Annotated[str | None, Meta(description="why git does not hold all of the ledger yet")] = None
    remarks: Annotated[list[str], Meta(description="what was left undone")] = []


def exit_code(mirrored: Mirrored) -> int:
    """Give the exit code for who asked for these bundles: that of a damaged one before that of any other."""
    codes = [delivery.exit_code for delivery in mirrored.bundles if delivery.exit_code]
    return ExitCode.FIXITY if ExitCode.FIXITY in codes else next(iter(codes), ExitCode.FINE)


def needs_a_person(mirrored: Mirrored) -> bool:
    """Tell whether something waits that time alone does not heal."""
    return bool(mirrored.damaged) or any(delivery.outcome in PERSONS for delivery in mirrored.bundles)


def is_left(mirrored: Mirrored) -> bool:
    """Tell whether a bundle had to be left since its mirror is away."""
    return any(delivery.outcome == "waiting" for delivery in mirrored.bundles)
