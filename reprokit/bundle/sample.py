"""One sample's predictions, the same for every harness: a line of `samples/<task>.jsonl`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from reprokit.bundle.values import Digest, Json, Score, Unknown


class Medium(Struct, frozen=True, kw_only=True):
    """A picture, a sound, a film or another file that a sample is about."""

    kind: Literal["image", "audio", "video", "file"]
    digest: Annotated[Digest | Unknown, Meta(description="SHA-256 of what `digest_of` says")]
    digest_of: Annotated[
        Literal["file", "pixels", "samples"],
        Meta(
            description="`file`: the bytes of the file, as it lay there when the run was captured or as the dataset "
            "holds it; `pixels`: the line `<mode> <width>x<height>` (Pillow's name of the mode) and a newline, then "
            "the pixels of the picture that the model was given, row by row, as `Image.tobytes` gives them, a palette "
            "picture turned into RGBA first; `samples`: the line `<type> <shape>`, for a sound followed by "
            "` <rate> Hz`, and a newline, then the numbers in C order (numpy's name of the type, `x` in the shape)"
        ),
    ] = "file"
    width: int | None = None
    height: int | None = None
    name: Annotated[
        str | None,
        Meta(
            description="the file, relative to the working directory when it lies there, else its last part; or the "
            "address without credentials and query"
        ),
    ] = None


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
    media: Annotated[
        list[Medium],
        Meta(description="what the sample itself is about beside text, in order; not that of its few-shot examples"),
    ] = []
    target: Annotated[Json, Meta(description="the reference answer")] = None
    target_digest: Digest | None = None
    responses: Annotated[list[Json], Meta(description="the model's answers as they came, before extraction")] = []
    responses_digest: Annotated[
        Digest | None, Meta(description="given when the responses were kept out on purpose")
    ] = None
    answer: Annotated[Json, Meta(description="the answer extracted from the responses")] = None
    answer_digest: Annotated[Digest | None, Meta(description="given when the answer was kept out on purpose")] = None
    scores: Annotated[dict[str, Score], Meta(description="marks by metric", examples=[{"acc": 1.0}])] = {}
    extra: Annotated[dict[str, Json], Meta(description="all else that the harness saved for this sample")] = {}
