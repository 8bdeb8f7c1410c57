"""The policy asks for a signature by a trusted key, and the only one is by a stranger's."""

from __future__ import annotations

from pathlib import Path

from bundles import audits, keys
from bundles.case import Case

from reprokit.audit.policy import Policy


def make(place: Path) -> Case:
    bundle = audits.held(place)
    trust = keys.trusting(place, "ada")
    keys.trusting(place, "eve")
    keys.sign(place, "eve", bundle)
    return audits.signed(bundle, Policy(signed=True), **trust)
