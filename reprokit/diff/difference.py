"""A comparison as a value: what `reprokit diff --json` prints.

`a` is the first bundle, `b` the second; `before` and `after` are the same two sides for a single fact. Every list has
an order of its own that depends neither on the order of the files nor on which bundle was named first, so that the same
comparison is always the same bytes and swapping the bundles swaps the sides and nothing else.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from reprokit.bundle.values import Json, Score
from reprokit.errors import ExitCode

SCHEMA = "https://w3id.org/reprokit/v1/diff.schema.json"

Verdict = Literal["identical", "same results", "different", "not comparable"]
Status = Literal["comparable", "partly", "not", "unknown"]
Kind = Literal["added", "removed", "changed"]
Stage = Literal["document", "prompt", "target", "response", "answer", "score"]
Where = Literal["a", "b", "both"]

STAGES: tuple[Stage, ...] = ("document", "prompt", "target", "response", "answer", "score")


class Compared(Struct, frozen=True, kw_only=True):
    """One of the two bundles."""

    bundle_id: str
    identity: Annotated[str, Meta(description="digest of its manifest: equal identity, equal bytes")]
    has_results: Annotated[bool, Meta(description="false when the run left neither metrics nor samples")]


class TaskComparability(Struct, frozen=True, kw_only=True):
    """Whether the scores of one task may be held against each other."""

    task: str
    status: Annotated[
        Status,
        Meta(
            description="`comparable`: the same items were asked in the same way; `partly`: something named in "
            "`differs` is not the same; `not`: nothing can be held against each other; `unknown`: no difference is "
            "known, and too little was saved to rule one out"
        ),
    ]
    in_common: Annotated[int | None, Meta(description="samples that both saved; null when not both saved any")] = None
    differs: Annotated[list[str], Meta(description="the parts that differ", examples=[["samples", "prompts"]])] = []
    unknown: Annotated[
        list[str], Meta(description="the parts that could not be compared", examples=[["documents"]])
    ] = []
    reason: Annotated[str, Meta(examples=["4 samples in common, 1 in only one of them"])]


class Comparability(Struct, frozen=True, kw_only=True):
    """Whether the two runs measured the same thing."""

    status: Status
    reason: str
    tasks: list[TaskComparability] = []


class Change(Struct, frozen=True, kw_only=True):
    """One fact of the set-up that is not the same on both sides."""

    area: Annotated[str, Meta(examples=["invocation", "packages"])]
    name: Annotated[str, Meta(examples=["--limit", "torch"])]
    kind: Kind
    before: Annotated[Json, Meta(description="in a; null when added")] = None
    after: Annotated[Json, Meta(description="in b; null when removed")] = None
    note: Annotated[str | None, Meta(examples=["same version, other files"])] = None


class Ignored(Struct, frozen=True, kw_only=True):
    """A fact that is not the same and says nothing about the evaluation."""

    area: str
    name: str
    kind: Kind
    before: Json = None
    after: Json = None
    rules: Annotated[list[str], Meta(description="the rules it was ignored by", examples=[["place"]])]
    reason: Annotated[str, Meta(description="why these rules ignore it")]


class NotCompared(Struct, frozen=True, kw_only=True):
    """A fact that at least one side does not know."""

    area: str
    name: Annotated[str, Meta(description="`*` for the whole area")]
    unknown_in: Where
    reason: str


class Mark(Struct, frozen=True, kw_only=True):
    """What one side says of a metric."""

    value: Score
    stderr: Annotated[Score | None, Meta(description="standard error; null when the harness gives none")] = None
    other_stderr: dict[str, Score] = {}
    n: Annotated[int | None, Meta(description="how many samples it is over")] = None
    extra: Annotated[Json, Meta(description="the value as written, when it is a structure rather than a number")] = None


class ScoreRow(Struct, frozen=True, kw_only=True):
    """One metric on both sides."""

    task: str
    metric: str
    filter: str | None = None
    group: Annotated[bool, Meta(description="an aggregate over tasks, not over the samples of one")] = False
    higher_is_better: Annotated[bool | None, Meta(description="null when not known, or not agreed on")] = None
    a: Annotated[Mark | None, Meta(description="null: a has no such metric")]
    b: Annotated[Mark | None, Meta(description="null: b has no such metric")]
    difference: Annotated[float | None, Meta(description="b minus a; null when there is none")] = None
    reason: Annotated[str | None, Meta(description="why there is no difference", examples=["not scored: nan"])] = None
    same: Annotated[bool, Meta(description="exactly the same value, or not scored for the same reason")]


class Flips(Struct, frozen=True, kw_only=True):
    """How many samples turned, under a metric that only says right or wrong."""

    metric: str
    right_to_wrong: int
    wrong_to_right: int


class Said(Struct, frozen=True, kw_only=True):
    """What one side saved for a sample: never shortened."""

    responses: list[Json] = []
    answer: Json = None
    scores: dict[str, Score] = {}


class SampleChange(Struct, frozen=True, kw_only=True):
    """One sample that is not the same on both sides."""

    task: str
    id: int | str
    epoch: int = 1
    filter: str | None = None
    occurrence: Annotated[int, Meta(description="from 1; more when a file holds the same sample several times")] = 1
    changed: Annotated[list[Stage], Meta(description="every stage that differs, first to last")]
    a: Said
    b: Said


class TaskSamples(Struct, frozen=True, kw_only=True):
    """The samples of one task, counted.

    `identical` samples differ in no stage, and no stage of theirs is known on one side only. A stage that neither side
    saved is in `unknown` and stops nothing.
    """

    task: str
    saved_in: Annotated[Where, Meta(description="which side saved samples of this task")]
    compared: Annotated[int, Meta(description="samples that both have")]
    identical: int
    differing: Annotated[int, Meta(description="samples with at least one stage changed")]
    only_in_a: int
    only_in_b: int
    repeated_in_a: Annotated[int, Meta(description="lines beyond the first with the same id, epoch and filter")] = 0
    repeated_in_b: int = 0
    changed: Annotated[dict[str, int], Meta(description="per stage: samples in which it differs")] = {}
    unknown: Annotated[dict[str, int], Meta(description="per stage: samples in which it could not be compared")] = {}
    known_by_one: Annotated[
        dict[str, int], Meta(description="of these: samples in which one side saved the stage and the other did not")
    ] = {}
    unanswered: Annotated[int, Meta(description="samples without a response or an answer on both sides to compare")] = 0
    flips: list[Flips] = []
    shown: Annotated[list[SampleChange], Meta(description="some of those that differ: changed scores first")] = []


class Difference(Struct, frozen=True, kw_only=True):
    """Two bundles, compared."""

    schema: str = SCHEMA
    a: Compared
    b: Compared
    verdict: Verdict
    reason: str
    comparability: Comparability
    setup: list[Change] = []
    ignored: list[Ignored] = []
    not_compared: list[NotCompared] = []
    scores: list[ScoreRow] = []
    samples: list[TaskSamples] = []


def exit_code(difference: Difference) -> ExitCode:
    """Give the exit code of a comparison: 0 for equal results, 1 for differences or when there is no comparing."""
    return ExitCode.FINE if difference.verdict in {"identical", "same results"} else ExitCode.DIFFERENCES
