"""A file was sealed with a key in it, of a form that the capture did not know."""

from __future__ import annotations

from pathlib import Path

from bundles import audits, finished
from bundles.case import Case

from reprokit.audit.families import privacy


def make(place: Path) -> Case:
    bundle = audits.held(place, {"harness/notes.txt": ("harness", f"my key is {finished.KEY}\n".encode())})
    return Case(look=lambda: audits.of(privacy.check(bundle)))
