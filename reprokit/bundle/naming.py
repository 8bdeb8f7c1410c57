"""The bundle id: sortable, readable, and valid wherever it is used.

`<UTC start>-<harness>-<model>-<first 8 hexadecimal digits of the identity>`, at most 128 of `[A-Za-z0-9_.-]`: a file
name, a DVC target and a W&B artifact name. It is derived from the record, so that a renamed bundle is noticed.
"""

from __future__ import annotations

import re

from reprokit import clock
from reprokit.bundle.record import Record
from reprokit.bundle.values import Unknown

UNDATED = "undated"
PATTERN = re.compile(r"^(?:\d{8}T\d{6}Z|undated)-[A-Za-z0-9_.]+-[A-Za-z0-9_.-]+-[0-9a-f]{8}$")
_LONGEST_MODEL = 60
_LONGEST_HARNESS = 24


def slug(text: str, longest: int) -> str:
    """Shorten a name to letters, digits, `_`, `.` and `-`."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.")[:longest].rstrip("-.")


def model_name(record: Record) -> str:
    """Name the evaluated model in one word: the last part of its path or repository name."""
    if not record.subject.models:
        return "unknown"
    parts = re.split(r"[/\\]+", record.subject.models[0].name.rstrip("/\\"))
    return slug(parts[-1], _LONGEST_MODEL) or "unknown"


def _when(started: str | Unknown) -> str:
    if isinstance(started, Unknown):
        return UNDATED
    try:
        return clock.compact(clock.parse(started))
    except ValueError:
        # The form of a time without being one: no record of ours.
        return UNDATED


def prefix(record: Record) -> str:
    """Give all of the id but the digits of the identity, with the `-` before them."""
    when = _when(record.run.started)
    harness = slug(record.harness.name, _LONGEST_HARNESS).replace("-", "_") or "unknown"
    return f"{when}-{harness}-{model_name(record)}-"


def bundle_id(record: Record, identity: str) -> str:
    """Derive the id of a bundle from its record and its identity (`sha256:…`)."""
    return prefix(record) + identity.removeprefix("sha256:")[:8]


def month(bundle: str) -> str:
    """Name the folder an id belongs in: `2026-11`, or `undated`."""
    return UNDATED if bundle.startswith(UNDATED) else f"{bundle[:4]}-{bundle[4:6]}"
