"""A file was sealed with the form of a key in it, as documentation shows it."""

from __future__ import annotations

from pathlib import Path

from bundles import audits
from bundles.case import Case

from reprokit.audit.families import privacy


def make(place: Path) -> Case:
    bundle = audits.held(place, {"harness/notes.txt": ("harness", b"my key is hf_" + b"x" * 34 + b"\n")})
    return Case(look=lambda: audits.of(privacy.check(bundle)))
