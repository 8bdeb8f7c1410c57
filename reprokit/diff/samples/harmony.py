"""What two harnesses said of the same item, brought to one form.

Each harness has its own way to write a prompt, a target or an answer: a text, a list of messages, a list of one, a
number for its text. Only what comes down to a text is compared between harnesses; whatever else they saved, such as
the log-likelihoods of choices, counts as not comparable rather than as different.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from reprokit.bundle import canonical
from reprokit.bundle.values import Json
from reprokit.diff.samples.scanning import NULL, Scanned

_MESSAGE = ("content", "text", "value")


def text_of(value: Json) -> str | None:
    """Give the text that a value comes down to; `None` when it is none, or more than one may be meant.

    White space at the ends is left out. A list of messages is their contents, one after the other.
    """
    match value:
        case str():
            return value.strip()
        case bool() | None:
            return None
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case [single]:
            return text_of(single)
        case list():
            return _messages(value)
        case dict():
            return next((text_of(value[key]) for key in _MESSAGE if key in value), None)
        case _:
            return None


def _messages(values: list[Json]) -> str | None:
    texts = [text_of(value) if isinstance(value, dict) else None for value in values]
    known = [text for text in texts if text is not None]
    return "\n".join(known) if values and len(known) == len(values) else None


def _harmonised(value: Raw) -> Raw:
    try:
        text = text_of(msgspec.json.decode(value))
    except RecursionError:
        return NULL
    return NULL if text is None else Raw(canonical.line(text))


def harmonise(sample: Scanned, *, documents_alike: bool) -> Scanned:
    """Bring a sample to the form in which it is compared with another harness's.

    Args:
        sample: the sample.
        documents_alike: both harnesses write documents in the same way; otherwise nothing is known of whether two
            documents are the same.
    """
    return replace(
        sample,
        document=sample.document if documents_alike else NULL,
        document_digest=sample.document_digest if documents_alike else None,
        prompt=_harmonised(sample.prompt),
        prompt_digest=None,
        media=sample.media,
        target=_harmonised(sample.target),
        target_digest=None,
        responses=_harmonised(sample.responses),
        answer=_harmonised(sample.answer),
    )
