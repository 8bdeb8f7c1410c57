"""One sample's predictions, the same for every harness: a line of `samples/<task>.jsonl`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from reprokit.bundle.values import Digest, Json, Score


class Sample(Struct, frozen=True, kw_only=True):
    """What was asked of the model for one item, what it answered, and the marks it got.

    A digest is SHA-256 over the canonical JSON line of the value. A null says that the harness did not save it.
    """

    task: Annotated[str, Meta(description="the task's name, as the harness spells it", examples=["toy_mc"])]
    id: Annotated[int | str, Meta(description="the harness's own key of the item within the task", examples=[0])]
    epoch: Annotated[int, Meta(ge=1, description="which repeat of the item this is, from 1")] = 1
    filter: Annotated[
        str | None, Meta(description="the answer extraction used, when the harness names it", examples=["strict-match"])
    ] = None
    document: Annotated[Json, Meta(description="the dataset's row")] = None
    document_digest: Digest | None = None
    prompt: Annotated[Json, Meta(description="what the model was given: text, or a list of messages")] = None
    prompt_digest: Annotated[
        Digest | None,
        Meta(
            description="digest over all that the harness saved of what the model was asked, choices and settings too"
        ),
    ] = None
    target: Annotated[Json, Meta(description="the reference answer")] = None
    target_digest: Digest | None = None
    responses: Annotated[list[Json], Meta(description="the model's answers as they came, before extraction")] = []
    answer: Annotated[Json, Meta(description="the answer extracted from the responses")] = None
    scores: Annotated[dict[str, Score], Meta(description="marks by metric", examples=[{"acc": 1.0}])] = {}
    extra: Annotated[dict[str, Json], Meta(description="all else that the harness saved for this sample")] = {}
