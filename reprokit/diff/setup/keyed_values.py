"""Options whose value is a list of settings itself: `dtype=float32,device=cpu`."""

from __future__ import annotations

import json
import re

from reprokit.bundle.values import Json

CONTAINERS = frozenset(
    {"model_args", "gen_kwargs", "generation_kwargs", "metadata", "chat_template_args", "limit_mm_per_prompt"}
)
"""The settings that hold others, by name."""

_PIECE = re.compile(r"\s*([\w.-]+)=(.*)", re.DOTALL)
_STRUCTURE = frozenset("[]{}()\"'")


def keyed(value: Json) -> dict[str, Json] | None:
    """Read a value as settings by name; `None` when it cannot be told for certain where one ends and the next begins.

    Such a value is a table, JSON of one, text such as `a=1,b=2`, or several such texts. Nothing at all is no settings.
    """
    match value:
        case None | "" | "{}":
            return {}
        case dict():
            return value
        case str():
            return _of_json(value) if value.lstrip().startswith("{") else _of_pieces(value.split(","))
        case list() if all(isinstance(item, str) for item in value):
            return _of_pieces([piece for item in value for piece in item.split(",")])
        case _:
            return None


def _of_json(text: str) -> dict[str, Json] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _of_pieces(pieces: list[str]) -> dict[str, Json] | None:
    found: dict[str, Json] = {}
    for piece in pieces:
        matched = _PIECE.fullmatch(piece)
        if matched is None or matched[1] in found or _STRUCTURE & set(piece):
            return None
        found[matched[1]] = matched[2]
    return found
