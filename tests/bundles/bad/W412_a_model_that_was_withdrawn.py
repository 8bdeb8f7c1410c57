"""The hub does not know the revision of a model."""

from __future__ import annotations

from pathlib import Path

from bundles import audits
from bundles.case import Case


def make(place: Path) -> Case:
    return audits.identified(audits.of_model(place, "toy-org/tiny"), status=404)
