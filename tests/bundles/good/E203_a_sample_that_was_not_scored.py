"""A line of samples has no score, and says why."""

from __future__ import annotations

from pathlib import Path

from bundles import sealing
from bundles.case import Case


def make(place: Path) -> Case:
    role, lines = sealing.files()["samples/toy.jsonl"]
    reasoned = lines.replace(b'{"acc":1}', b'{"acc":{"not_scored":"nan"}}', 1)
    return sealing.validated(sealing.sealed(place, sealing.files() | {"samples/toy.jsonl": (role, reasoned)}))
