"""What came out of a reproduction: what `reprokit reproduce --json` prints."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from reprokit.diff.difference import Difference
from reprokit.errors import ExitCode
from reprokit.reproduce.delta import Delta
from reprokit.reproduce.rescoring.values import Rescored
from reprokit.reproduce.tiers import Tier
from reprokit.reproduce.verdict.flips import FlipRate
from reprokit.reproduce.verdict.ladder import Agreement, at_least_equivalent
from reprokit.reproduce.verdict.spreads import Spread
from reprokit.reproduce.verdict.subset import LeftOut
from reprokit.reproduce.verdict.wording import Detectable

SCHEMA = "https://w3id.org/reprokit/v1/reproduction.schema.json"


class NewRun(Struct, frozen=True, kw_only=True):
    """One new run, and how far it alone agrees with the original."""

    bundle: Annotated[str, Meta(description="bundle id")]
    path: str
    verdict: Agreement
    reason: str


class Reproduction(Struct, frozen=True, kw_only=True):
    """How far a bundle's run was reproduced."""

    schema: str = SCHEMA
    original: Annotated[str, Meta(description="bundle id")]
    tier: Tier
    verdict: Agreement
    reason: str
    detectable: Annotated[Detectable | None, Meta(description="what is known of the score that the reason names")] = (
        None
    )
    hint: Annotated[str | None, Meta(description="what would tell more")] = None
    reproduced_as: Annotated[
        str | None, Meta(description="bundle id of the first new run; null when none was made")
    ] = None
    path: Annotated[str | None, Meta(description="where that bundle is")] = None
    runs: Annotated[list[NewRun], Meta(description="every new run")] = []
    deltas: Annotated[list[Delta], Meta(description="what was not as recorded")] = []
    not_guaranteed: Annotated[list[str], Meta(description="what nobody can promise to have been the same")] = []
    left_out: Annotated[list[LeftOut], Meta(description="scores that cannot be told of some samples alone")] = []
    difference: Annotated[Difference | None, Meta(description="original against new; null when nothing was run")] = None
    flips: Annotated[list[FlipRate], Meta(description="how often samples come out otherwise, of several runs")] = []
    spreads: Annotated[list[Spread], Meta(description="what the scores of several runs vary between")] = []
    rescored: Annotated[Rescored | None, Meta(description="what the saved samples say of the scores")] = None
    remarks: list[str] = []


def exit_code(result: Reproduction) -> ExitCode:
    """Give the exit code of a reproduction: 0 only when it is at least equivalent."""
    return ExitCode.FINE if at_least_equivalent(result.verdict) else ExitCode.DIFFERENCES
