"""Taking a key out of what is told, also when only a part of it was cut off and left."""

from __future__ import annotations

from itertools import takewhile

from reprokit.mirrors.wandb import web

_PART = 8
"""A part of a key, from its start or up to its end, that is as long as this is taken out too."""
_GONE = "…"


def redacted(text: str, key: str | None) -> str:
    """Take a key out of a text, as it is and as it is sent, and each part of it that a cut may have left."""
    if not key:
        return text
    for secret in (key, web.authorization(key).removeprefix("Basic ")):
        text = text.replace(secret, _GONE)
        text = _without_starts(text, secret)
        # A part up to the end is the start of it all, read backwards.
        text = _without_starts(text[::-1], secret[::-1])[::-1]
    return text


def _without_starts(text: str, secret: str) -> str:
    start, at, kept = secret[:_PART], 0, []
    while (found := text.find(start, at)) >= 0:
        kept += [text[at:found], _GONE]
        same = takewhile(lambda pair: pair[0] == pair[1], zip(text[found : found + len(secret)], secret, strict=False))
        at = found + sum(1 for _ in same)
    return "".join((*kept, text[at:]))
