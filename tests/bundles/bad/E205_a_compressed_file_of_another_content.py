"""A compressed file unpacks to other bytes than the record says."""

from __future__ import annotations

from pathlib import Path

from bundles import sealing
from bundles.case import Case
from msgspec.structs import replace


def make(place: Path) -> Case:
    payload = sealing.filled(place / "bag", sealing.files() | {"harness/long.txt": ("harness", b"line\n" * 300_000)})
    payload.files[-1] = replace(payload.files[-1], digest=payload.files[0].digest)
    return sealing.validated(sealing.seal(payload).path)
