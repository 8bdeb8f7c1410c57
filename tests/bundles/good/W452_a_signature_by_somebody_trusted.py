"""A signature of the manifest is by a key that the auditor trusts."""

from __future__ import annotations

from pathlib import Path

from bundles import audits, keys
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = audits.held(place)
    trust = keys.trusting(place, "ada")
    keys.sign(place, "ada", bundle)
    return audits.signed(bundle, **trust)
