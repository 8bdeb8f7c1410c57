"""A comparison as a value: what `reprokit diff --json` prints.

`a` is the first bundle, `b` the second; `before` and `after` are the same two sides for a single fact. Every list has
an order of its own that depends neither on the order of the files nor on which bundle was named first, so that the same
comparison is always the same bytes and swapping the bundles swaps the sides and signs and nothing else.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from reprokit.bundle.sample import Medium
from reprokit.bundle.values import Json, Score

SCHEMA = "https://w3id.org/reprokit/v1/diff.schema.json"

Verdict = Literal[
    "identical", "same results", "same scores", "equivalent", "inconclusive", "different", "not comparable"
]
Status = Literal["comparable", "partly", "not", "unknown"]
Kind = Literal["added", "removed", "changed"]
Stage = Literal["document", "prompt", "target", "response", "answer", "score"]
Origin = Literal["document", "prompt", "target", "response", "answer", "score", "unknown", "other samples"]
Where = Literal["a", "b", "both"]
Effect = Literal["likely", "possible", "unlikely"]
Turn = Literal["right to wrong", "wrong to right"]
MatchedBy = Literal["id", "document"]
Outcome = Literal["same", "equivalent", "inconclusive", "different", "not compared"]

STAGES: tuple[Stage, ...] = ("document", "prompt", "target", "response", "answer", "score")
ORIGINS: tuple[Origin, ...] = (*STAGES, "unknown", "other samples")
EFFECTS: tuple[Effect, ...] = ("likely", "possible", "unlikely")


class Compared(Struct, frozen=True, kw_only=True):
    """One of the two bundles."""

    bundle_id: str
    identity: Annotated[str, Meta(description="digest of its manifest: equal identity, equal bytes")]
    harness: Annotated[str, Meta(examples=["lm_eval"])]
    models: Annotated[list[str], Meta(examples=[["toy-org/tiny-gpt2"]])] = []
    started: Annotated[str | None, Meta(description="UTC; null when not known")] = None
    has_results: Annotated[bool, Meta(description="false when the run left neither metrics nor samples")]


class Asked(Struct, frozen=True, kw_only=True):
    """How the comparison was asked for."""

    level: Annotated[float, Meta(description="of the intervals; 1 - level is the level of the tests")] = 0.95
    power: Annotated[float, Meta(description="at which a detectable difference is told")] = 0.8
    margin: Annotated[
        float | None, Meta(description="within which a difference counts as none, in the metric's own units")
    ] = None
    margins: Annotated[dict[str, float], Meta(description="margins of single metrics", examples=[{"acc": 0.01}])] = {}
    cluster: Annotated[
        str | None, Meta(description="what samples were grouped by; null: what the record says", examples=["image_id"])
    ] = None
    match: Annotated[Literal["auto", "id", "document"], Meta(description="what samples are paired by")] = "auto"
    tasks: Annotated[list[str], Meta(description="the only tasks compared; empty: all")] = []
    renamed: Annotated[
        dict[str, str], Meta(description="tasks of a and what b calls them", examples=[{"toy_mc": "toy"}])
    ] = {}
    filters: Annotated[
        dict[str, str | None],
        Meta(description="filters of a and what b calls them; null: b names none", examples=[{"strict-match": None}]),
    ] = {}
    where: Annotated[list[str], Meta(description="which samples are shown", examples=[["right-to-wrong"]])] = []
    shown: Annotated[int, Meta(description="how many samples of each task are shown at most")] = 20


class TaskComparability(Struct, frozen=True, kw_only=True):
    """Whether the scores of one task may be held against each other."""

    task: str
    task_in_b: Annotated[str | None, Meta(description="b's name of it, when another one")] = None
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
    effect: Annotated[Effect, Meta(description="how likely such a change moves a score")] = "possible"
    why: Annotated[str, Meta(description="why that is", examples=["other weights answer differently"])] = ""


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


class CodeFile(Struct, frozen=True, kw_only=True):
    """One file that is not the same in two trees."""

    path: str
    kind: Kind
    added: Annotated[int | None, Meta(description="lines that only b has; null for a binary file")] = None
    removed: Annotated[int | None, Meta(description="lines that only a has; null for a binary file")] = None


class CodeChange(Struct, frozen=True, kw_only=True):
    """What lies between the two trees of one checkout."""

    name: Annotated[str, Meta(description="the checkout", examples=["my-evals"])]
    before: Annotated[str | None, Meta(description="git tree in a; null when only b has the checkout")] = None
    after: Annotated[str | None, Meta(description="git tree in b; null when only a has the checkout")] = None
    learnt_from: Annotated[
        Literal["trees", "patches", "nothing"],
        Meta(
            description="`trees`: both were rebuilt and git compared them; `patches`: both are patches of the same "
            "commit, and the patches were compared, since the commit is not to be had; `nothing`: see `reason`"
        ),
    ]
    reason: Annotated[str | None, Meta(description="why it is not known, or what is left out")] = None
    files: list[CodeFile] = []
    patch: Annotated[str | None, Meta(description="from a's tree to b's, as git writes it")] = None


class Mark(Struct, frozen=True, kw_only=True):
    """What one side says of a metric."""

    value: Score
    stderr: Annotated[Score | None, Meta(description="standard error; null when the harness gives none")] = None
    other_stderr: dict[str, Score] = {}
    n: Annotated[int | None, Meta(description="how many samples it is over")] = None
    extra: Annotated[Json, Meta(description="the value as written, when it is a structure rather than a number")] = None


class Interval(Struct, frozen=True, kw_only=True):
    """A confidence interval of a difference, b minus a."""

    low: float
    high: float
    level: float


class Equivalence(Struct, frozen=True, kw_only=True):
    """Two one-sided tests: is the difference within the margin?"""

    margin: float
    p: Annotated[float, Meta(description="the larger p of the two one-sided tests")]
    interval: Annotated[Interval, Meta(description="of level 1 - 2 alpha: within the margin exactly when equivalent")]
    equivalent: bool


class Inference(Struct, frozen=True, kw_only=True):
    """What can be said of a difference beyond the samples at hand."""

    kind: Annotated[
        Literal["paired", "unpaired", "group"],
        Meta(
            description="`paired`: over the samples that both have; `unpaired`: from the standard errors alone, since "
            "samples were not saved; `group`: from those of its tasks, weighted as the harness does"
        ),
    ]
    n: Annotated[int | None, Meta(description="pairs of samples; null when unpaired or of a group")] = None
    clusters: Annotated[int | None, Meta(description="independent groups of samples; null: each its own")] = None
    clustered_by: Annotated[str | None, Meta(examples=["image", "document", "passage_id"])] = None
    design_effect: Annotated[
        float | None, Meta(description="variance with the clusters over variance as if all were independent")
    ] = None
    partial: Annotated[
        bool, Meta(description="samples that only one side has or scored, or about other documents, took no part")
    ] = False
    a: Annotated[float, Meta(description="a's score over these")]
    b: float
    difference: float
    stderr: Annotated[float | None, Meta(description="of the difference; null when no spread can be estimated")] = None
    interval: Interval | None = None
    interval_by: Annotated[str | None, Meta(examples=["score interval, exact tails", "t, cluster-robust"])] = None
    test: Annotated[str | None, Meta(examples=["exact McNemar", "sign-flip permutation, exact", "paired t"])] = None
    resamples: Annotated[int | None, Meta(description="random draws; null when the test is exact")] = None
    p: Annotated[float | None, Meta(description="two-sided, of no difference")] = None
    p_adjusted: Annotated[float | None, Meta(description="after Holm, over all tests made")] = None
    detectable: Annotated[
        float | None, Meta(description="the smallest true difference that this test finds with the asked power")
    ] = None
    equivalence: Annotated[Equivalence | None, Meta(description="null when no margin was asked for")] = None
    note: Annotated[str | None, Meta(description="what keeps more from being said")] = None


class Spelled(Struct, frozen=True, kw_only=True):
    """What b calls a score."""

    task: str
    metric: str
    filter: str | None = None


class ScoreRow(Struct, frozen=True, kw_only=True):
    """One metric on both sides."""

    task: str
    metric: str
    filter: str | None = None
    in_b: Annotated[Spelled | None, Meta(description="b's names, when others")] = None
    group: Annotated[bool, Meta(description="an aggregate over tasks, not over the samples of one")] = False
    higher_is_better: Annotated[bool | None, Meta(description="null when not known, or not agreed on")] = None
    a: Annotated[Mark | None, Meta(description="null: a has no such metric")]
    b: Annotated[Mark | None, Meta(description="null: b has no such metric")]
    difference: Annotated[float | None, Meta(description="b minus a; null when there is none")] = None
    reason: Annotated[str | None, Meta(description="why there is no difference", examples=["not scored: nan"])] = None
    same: Annotated[bool, Meta(description="exactly the same value, or not scored for the same reason")]
    inference: Inference | None = None
    untested: Annotated[str | None, Meta(description="why there is no inference")] = None
    outcome: Annotated[
        Outcome,
        Meta(
            description="`equivalent`: within the margin; `different`: by more than chance explains, or not the same "
            "and nothing to test it with; `inconclusive`: neither can be said; `not compared`: one side lacks it, or "
            "the tasks are not comparable"
        ),
    ] = "not compared"


class Flips(Struct, frozen=True, kw_only=True):
    """How many samples turned, under a metric that only says right or wrong."""

    metric: str
    filter: str | None = None
    right_to_wrong: int
    wrong_to_right: int


class Step(Struct, frozen=True, kw_only=True):
    """What one origin adds to the difference of a score."""

    origin: Annotated[
        Origin,
        Meta(
            description="the first stage in which a sample differs; `unknown`: the score differs, and what the model "
            "said was not saved; `other samples`: those that only one side has, or scored"
        ),
    ]
    samples: int
    share: Annotated[float, Meta(description="in the metric's own units; the shares add up to the difference")]


class Waterfall(Struct, frozen=True, kw_only=True):
    """Where the difference of one score comes from."""

    metric: str
    filter: str | None = None
    difference: Annotated[float, Meta(description="b minus a, over all samples of each")]
    steps: list[Step]


class Said(Struct, frozen=True, kw_only=True):
    """What one side saved for a sample: never shortened."""

    document: Json = None
    prompt: Json = None
    target: Json = None
    media: list[Medium] = []
    responses: list[Json] = []
    answer: Json = None
    scores: dict[str, Score] = {}


class SampleChange(Struct, frozen=True, kw_only=True):
    """One sample that is not the same on both sides, or that only one side has."""

    task: str
    id: int | str
    id_in_b: Annotated[int | str | None, Meta(description="b's id, when another one")] = None
    epoch: int = 1
    filter: str | None = None
    occurrence: Annotated[int, Meta(description="from 1; more when a file holds the same sample several times")] = 1
    changed: Annotated[list[Stage], Meta(description="every stage that differs, first to last")] = []
    first: Annotated[Origin, Meta(description="where it begins to differ")]
    turned: Annotated[dict[str, Turn], Meta(description="by metric", examples=[{"acc": "right to wrong"}])] = {}
    a: Annotated[Said | None, Meta(description="null: only b has the sample")] = None
    b: Annotated[Said | None, Meta(description="null: only a has the sample")] = None


class TaskSamples(Struct, frozen=True, kw_only=True):
    """The samples of one task, counted.

    `identical` samples differ in no stage, and no stage of theirs is known on one side only. A stage that neither side
    saved is in `unknown` and stops nothing.
    """

    task: str
    task_in_b: Annotated[str | None, Meta(description="b's name of it, when another one")] = None
    saved_in: Annotated[Where, Meta(description="which side saved samples of this task")]
    compared: Annotated[int, Meta(description="samples that both have")]
    identical: int
    differing: Annotated[int, Meta(description="samples with at least one stage changed")]
    only_in_a: int
    only_in_b: int
    matched_by: Annotated[dict[MatchedBy, int], Meta(description="what the pairs were found by")] = {}
    repeated_in_a: Annotated[int, Meta(description="lines beyond the first with the same id, epoch and filter")] = 0
    repeated_in_b: int = 0
    changed: Annotated[dict[str, int], Meta(description="per stage: samples in which it differs")] = {}
    first: Annotated[dict[str, int], Meta(description="per stage: samples that begin to differ there")] = {}
    same_score: Annotated[int, Meta(description="of those that differ: samples with the same scores")] = 0
    unknown: Annotated[dict[str, int], Meta(description="per stage: samples in which it could not be compared")] = {}
    known_by_one: Annotated[
        dict[str, int], Meta(description="of these: samples in which one side saved the stage and the other did not")
    ] = {}
    unanswered: Annotated[int, Meta(description="samples without a response or an answer on both sides to compare")] = 0
    other_questions: Annotated[
        int, Meta(description="pairs about other documents that also ask otherwise: no test uses them")
    ] = 0
    flips: list[Flips] = []
    waterfalls: Annotated[list[Waterfall], Meta(description="of every score that is a mean over its samples")] = []
    chosen: Annotated[int, Meta(description="samples that match `asked.where`, of which `shown` holds some")] = 0
    shown: Annotated[list[SampleChange], Meta(description="some of those that differ: changed scores first")] = []


class Difference(Struct, frozen=True, kw_only=True):
    """Two bundles, compared."""

    schema: str = SCHEMA
    a: Compared
    b: Compared
    asked: Asked
    verdict: Verdict
    reason: str
    headline: Annotated[str, Meta(description="verdict and reason in one line", examples=["not comparable: …"])]
    comparability: Comparability
    setup: Annotated[list[Change], Meta(description="most likely to move a score first")] = []
    ignored: list[Ignored] = []
    not_compared: list[NotCompared] = []
    code: list[CodeChange] = []
    scores: list[ScoreRow] = []
    samples: list[TaskSamples] = []
