"""A line of samples has a score that is a word."""

from __future__ import annotations

from pathlib import Path

from bundles import sealing
from bundles.case import Case


def make(place: Path) -> Case:
    role, lines = sealing.files()["samples/toy.jsonl"]
    worded = lines.replace(b'{"acc":1}', b'{"acc":"good"}', 1)
    return sealing.validated(sealing.sealed(place, sealing.files() | {"samples/toy.jsonl": (role, worded)}))
