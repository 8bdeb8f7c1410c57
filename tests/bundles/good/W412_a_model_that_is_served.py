"""The hub serves a model at its revision."""

from __future__ import annotations

from pathlib import Path

from bundles import audits
from bundles.case import Case


def make(place: Path) -> Case:
    return audits.identified(audits.of_model(place, "toy-org/tiny"), answer={"sha": audits.COMMIT})
