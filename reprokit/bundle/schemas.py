"""The published contract: JSON Schemas made from the record types, and checking against them.

The types are the source (`docs/adr/0002`); `schemas/v1/` holds what `generate` makes of them, and a test keeps the two
equal. Records are checked with `jsonschema`, sample lines, of which there may be millions, with `jsonschema-rs`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import msgspec

from reprokit.bundle import canonical, environment, record, results, source
from reprokit.bundle.sample import Sample

DRAFT = "https://json-schema.org/draft/2020-12/schema"
SAMPLE = "https://w3id.org/reprokit/v1/sample.schema.json"

TYPES: dict[str, tuple[str, type[msgspec.Struct]]] = {
    "bundle": (record.SCHEMA, record.Record),
    "results": (results.SCHEMA, results.Results),
    "environment": (environment.SCHEMA, environment.Environment),
    "source": (source.SCHEMA, source.Source),
    "sample": (SAMPLE, Sample),
}


def file_name(name: str) -> str:
    """Name the file of a schema: `bundle.schema.json`."""
    return f"{name}.schema.json"


def generate(identifier: str, kind: type[msgspec.Struct]) -> bytes:
    """Make the canonical JSON Schema of a record type."""
    schema = msgspec.json.schema(kind)
    definitions = schema.pop("$defs")
    top = definitions.pop(kind.__name__)
    for each in (top, *definitions.values()):
        each["description"] = inspect.cleandoc(each["description"])
    return canonical.record({"$schema": DRAFT, "$id": identifier, **top, "$defs": definitions})


def published(name: str) -> bytes:
    """Read a schema as it was published with this version."""
    shipped = resources.files("reprokit.bundle") / "_schemas" / file_name(name)
    if shipped.is_file():
        return shipped.read_bytes()
    # An editable install has no files added by the wheel; the schemas lie in the checkout.
    return (Path(__file__).parents[2] / "schemas" / "v1" / file_name(name)).read_bytes()


@cache
def _checker(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(msgspec.json.decode(published(name)))


@cache
def _line_checker(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(msgspec.json.decode(published(name)))


def errors(name: str, value: Any) -> Iterator[str]:
    """Yield what is wrong with a decoded record, one line each; nothing when it follows the schema."""
    for error in _checker(name).iter_errors(value):
        place = "/".join(str(part) for part in error.absolute_path)
        yield f"`{place or '.'}`: {error.message[:200]}"


def first_line_error(name: str, value: Any) -> str | None:
    """Say what is wrong with a decoded line of a `.jsonl` file, if anything; fast."""
    checker = _line_checker(name)
    if checker.is_valid(value):
        return None
    error = next(iter(checker.iter_errors(value)))
    place = "/".join(str(part) for part in error.instance_path)
    return f"`{place or '.'}`: {error.message[:200]}"
