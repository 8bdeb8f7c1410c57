"""What came out of scoring a bundle's samples again."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from reprokit.bundle.values import Json, Score

NAMED = 20
"""How many samples that differ are named."""


class RescoredRow(Struct, frozen=True, kw_only=True):
    """One score of the results, and what the samples give for it."""

    task: Annotated[str, Meta(description="task or group")]
    metric: str
    filter: str | None = None
    group: bool = False
    reported: Score
    recomputed: Annotated[float | None, Meta(description="null where it cannot be computed again")] = None
    same: Annotated[bool | None, Meta(description="but for the rounding of sums; null where it was not compared")] = (
        None
    )
    how: Annotated[
        Literal["predictions", "sample scores", "task scores"] | None,
        Meta(
            description="`predictions`: from what the model answered, by the harness's definition; `sample scores`: "
            "from the marks that the samples were saved with; `task scores`: from the scores of a group's tasks"
        ),
    ] = None
    reason: Annotated[str, Meta(description="why not, or why not from the predictions, or what to know of it")] = ""


class ChangedSample(Struct, frozen=True, kw_only=True):
    """A sample whose answer or mark does not follow from what was saved of it."""

    task: str
    id: int | str
    epoch: int = 1
    filter: str | None = None
    what: Annotated[str, Meta(description="`answer`, or the metric", examples=["answer", "exact_match"])]
    recorded: Json
    recomputed: Json


class Rescored(Struct, frozen=True, kw_only=True):
    """All scores of a bundle, computed again as far as its samples and its record allow."""

    verdict: Literal["identical scores", "inconclusive", "different", "not comparable"]
    reason: str
    rows: list[RescoredRow] = []
    samples_rescored: Annotated[
        int, Meta(description="whose marks were computed again from what the model answered")
    ] = 0
    samples_changed: Annotated[int, Meta(description="of which something does not follow")] = 0
    changed: Annotated[list[ChangedSample], Meta(description=f"the first {NAMED} things that do not")] = []
