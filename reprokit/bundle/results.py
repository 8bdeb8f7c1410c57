"""The metrics of a run in long form, the same for every harness: `results.json`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from reprokit.bundle.values import Json, NotScored, Score

SCHEMA = "https://w3id.org/reprokit/v1/results.schema.json"


class Metric(Struct, frozen=True, kw_only=True):
    """One aggregate over the samples of a task, or of a group of tasks."""

    task: Annotated[str, Meta(description="task or group, as the harness spells it", examples=["toy_mc"])]
    metric: Annotated[str, Meta(examples=["exact_match"])]
    filter: Annotated[str | None, Meta(description="answer extraction", examples=["strict-match", "none"])] = None
    value: Annotated[Score, Meta(examples=[0.5, {"not_scored": "nan"}])]
    stderr: Annotated[
        float | NotScored | None, Meta(description="standard error of the value; null when the harness gives none")
    ] = None
    other_stderr: Annotated[
        dict[str, Score], Meta(description="standard errors computed in other ways", examples=[{"clustered": 0.1}])
    ] = {}
    n: Annotated[int | None, Meta(description="how many samples it is over")] = None
    higher_is_better: bool | None = None
    n_shot: Annotated[int | None, Meta(description="how many worked examples each prompt holds")] = None
    task_version: Annotated[str | None, Meta(examples=["1.0"])] = None
    group: Annotated[bool, Meta(description="an aggregate over tasks, not over the samples of one")] = False
    extra: Annotated[Json, Meta(description="the value as written, when it is a structure rather than a number")] = None


class Task(Struct, frozen=True, kw_only=True):
    """One task as the harness resolved it."""

    name: str
    version: str | None = None
    n_shot: int | None = None
    samples_claimed: Annotated[int | None, Meta(description="how many samples the harness says it evaluated")] = None
    samples_available: Annotated[int | None, Meta(description="how many the dataset's split holds")] = None
    samples_saved: Annotated[int, Meta(description="how many sample lines this bundle holds, over all filters")] = 0
    samples_file: Annotated[str | None, Meta(examples=["samples/toy_mc.jsonl"])] = None
    config: Annotated[Json, Meta(description="the harness's definition of the task, as it wrote it")] = None


class Results(Struct, frozen=True, kw_only=True):
    """Everything the run measured."""

    schema: str = SCHEMA
    metrics: list[Metric] = []
    tasks: list[Task] = []
    groups: Annotated[dict[str, list[str]], Meta(description="which tasks each group holds")] = {}
