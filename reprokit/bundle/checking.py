"""Checking decoded JSON against the published schemas.

Records are checked with `jsonschema`; sample lines, of which there may be millions, with `jsonschema-rs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import jsonschema_rs
import msgspec

from reprokit.bundle import schemas


@cache
def _checker(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(msgspec.json.decode(schemas.published(name)))


@cache
def _sample_checker() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(msgspec.json.decode(schemas.published("sample")))


def errors(name: str, value: Any) -> Iterator[str]:
    """Yield what is wrong with a decoded record, one line each; nothing when it follows the schema."""
    for error in _checker(name).iter_errors(value):
        place = "/".join(str(part) for part in error.absolute_path)
        yield f"`{place or '.'}`: {error.message[:200]}"


def first_line_error(value: Any) -> str | None:
    """Say what is wrong with a decoded sample, if anything; fast."""
    checker = _sample_checker()
    if checker.is_valid(value):
        return None
    error = next(iter(checker.iter_errors(value)))
    place = "/".join(str(part) for part in error.instance_path)
    return f"`{place or '.'}`: {error.message[:200]}"
