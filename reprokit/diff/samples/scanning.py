"""A file of samples, line by line, with no more decoded than a comparison looks at.

The texts of a sample stay bytes. Lines of samples are canonical JSON, so that equal values are equal bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from reprokit.bundle.sample import Medium, Sample
from reprokit.bundle.values import Score
from reprokit.diff.side import Side
from reprokit.errors import InvalidRecordError

NULL = Raw(b"null")
NONE_SAID = Raw(b"[]")


class Scanned(Struct, frozen=True, kw_only=True, gc=False):
    """One sample as its line holds it: `Raw` members are JSON that was not looked into."""

    id: int | str
    epoch: int = 1
    filter: str | None = None
    document: Raw = NULL
    document_digest: str | None = None
    prompt: Raw = NULL
    prompt_digest: str | None = None
    media: list[Medium] = []
    target: Raw = NULL
    target_digest: str | None = None
    responses: Raw = NONE_SAID
    responses_digest: str | None = None
    answer: Raw = NULL
    answer_digest: str | None = None
    scores: dict[str, Score] = {}
    extra: Raw = NULL


_scanned = msgspec.json.Decoder(Scanned)
_whole = msgspec.json.Decoder(Sample)
_NO_SAMPLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def scan(side: Side, task: str) -> Iterator[Scanned]:
    """Stream the samples of a task, reduced to what is compared; nothing when the side saved none.

    Raises:
        InvalidRecordError: a line does not follow the schema.
    """
    for number, line in enumerate(side.lines(task) if task in side.tasks() else (), start=1):
        try:
            yield _scanned.decode(line)
        except _NO_SAMPLE as error:
            raise _invalid(side, task, number, error) from error


def whole(side: Side, task: str, number: int, line: bytes) -> Sample:
    """Decode a line in full, the task's `number`th.

    Raises:
        InvalidRecordError: it does not follow the schema.
    """
    try:
        return _whole.decode(line)
    except _NO_SAMPLE as error:
        raise _invalid(side, task, number, error) from error


def _invalid(side: Side, task: str, number: int, error: Exception) -> InvalidRecordError:
    where = f"samples of `{task}` in `{side.info.bundle_id}`, line {number}"
    if isinstance(error, RecursionError):
        return InvalidRecordError(
            f"{where}: it is nested too deeply to be compared", hint="compare the other tasks: `--task`"
        )
    return InvalidRecordError(
        f"{where}: {error}", hint="`reprokit validate` lists all that is wrong; restore the bundle from another copy"
    )
