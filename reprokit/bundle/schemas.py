"""The published contract: JSON Schemas made from the record types.

The types are the source (`docs/adr/0002`); `schemas/v1/` holds what `generate` makes of them, and a test keeps the two
equal.
"""

from __future__ import annotations

import inspect
from importlib import resources
from pathlib import Path

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
