"""The small values that records are built of: a score, an unknown, a secret's place."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Struct

DIGEST_PATTERN = "^sha256:[0-9a-f]{64}$"
TIME_PATTERN = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z$"

COMMIT = re.compile("[0-9a-f]{40}")
"""A commit that is named in full, on the hub or in git."""
OBJECT_NAME = re.compile("[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""The name of an object of git's, by SHA-1 or by SHA-256."""
SHA256 = re.compile("[0-9a-f]{64}")
"""A SHA-256 as it stands in a name, without `sha256:` before it."""

Digest: TypeAlias = Annotated[str, Meta(pattern=DIGEST_PATTERN, description="`sha256:` and 64 hexadecimal digits")]
Time: TypeAlias = Annotated[str, Meta(pattern=TIME_PATTERN, description="UTC, ISO 8601, ending in `Z`")]
Json: TypeAlias = Any


class Unknown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A fact that nobody observed, with the reason."""

    unknown: Annotated[str, Meta(description="why it is not known", examples=["captured from finished outputs"])]


class NotScored(Struct, frozen=True, kw_only=True):
    """A score that is no number, with what the harness wrote instead of one."""

    not_scored: Annotated[str, Meta(description="what stood there instead", examples=["nan", "N/A"])]


class SecretSlot(Struct, frozen=True, kw_only=True):
    """The place of a secret that was left out, by the name under which a re-run asks for it."""

    secret: Annotated[str, Meta(description="name of the slot", examples=["OPENAI_API_KEY"])]


Score: TypeAlias = bool | int | float | NotScored
Argument: TypeAlias = str | list[str | SecretSlot]

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def not_finite(number: float) -> NotScored:
    """Name a float that JSON has no token for: `nan`, `infinity` or `-infinity`."""
    if math.isnan(number):
        return NotScored(not_scored="nan")
    return NotScored(not_scored="infinity" if number > 0 else "-infinity")


def as_score(value: object) -> Score | None:
    """Turn what a harness wrote into a score; `None` when it is a structure rather than one mark.

    Numbers and booleans stay as they are, text such as `"N/A"` and a null become a reason.
    """
    match value:
        case bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else not_finite(value)
        case None:
            return NotScored(not_scored="null")
        case str():
            return NotScored(not_scored=value)
        case _:
            return None


def as_number(score: object) -> float | None:
    """Give a score as a finite float, 1 for true; `None` when it is none, or too large for one."""
    if not isinstance(score, (int, float)):
        return None
    try:
        value = float(score)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def full_commit(value: object) -> str | None:
    """Return a value when it is a full commit, and nothing that moves: 40 hexadecimal digits."""
    return value if isinstance(value, str) and COMMIT.fullmatch(value) else None


def as_json(value: Json) -> Json:
    r"""Copy a decoded JSON value so that it can be written again, whatever a foreign file held.

    A non-finite number becomes its `not_scored` form; half of a surrogate pair, which `"\ud800"` decodes to and UTF-8
    has no bytes for, becomes U+FFFD; a whole number beyond 64 bits, which readers round or refuse, becomes its digits.

    Raises:
        RecursionError: it is nested deeper than Python can follow.
    """
    match value:
        case str():
            return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
        case int() if not -(2**63) <= value < 2**64:
            return str(value)
        case float() if not math.isfinite(value):
            return {"not_scored": not_finite(value).not_scored}
        case dict():
            return {as_json(str(key)): as_json(item) for key, item in value.items()}
        case list() | tuple():
            return [as_json(item) for item in value]
        case _:
            return value
