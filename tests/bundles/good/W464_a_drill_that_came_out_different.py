"""A drill came to a verdict, which is not what one would wish for."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case

from reprokit.reproduce.result import Reproduction
from reprokit.reproduce.tiers import Tier


def make(place: Path) -> Case:
    archive, _ = archives.with_bundle(place)

    def reproduce(bundle: str, tier: Tier) -> Reproduction:
        return Reproduction(original=bundle, tier=tier, verdict="different", reason="the scores differ")

    return archives.drilled(archive, reproduce)
