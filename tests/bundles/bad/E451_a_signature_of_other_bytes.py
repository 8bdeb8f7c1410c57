"""A signature lies beside the bundle that is of other bytes than its manifest."""

from __future__ import annotations

from pathlib import Path

from bundles import audits, keys
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = audits.held(place)
    trust = keys.trusting(place, "ada")
    keys.sign(place, "ada", bundle, manifest=b"another manifest\n")
    return audits.signed(bundle, **trust)
