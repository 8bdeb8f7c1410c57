"""Quoting in a message what a foreign file says."""

from __future__ import annotations

from reprokit.bundle.values import Json

_LONGEST = 120


def quoted(value: Json) -> str:
    """Quote a value on one line, without control characters, cut where it is long."""
    text = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in str(value))
    return f"`{text}`" if len(text) <= _LONGEST else f"`{text[:_LONGEST]}…`"
