"""A task names a dataset of the hub at a full commit."""

from __future__ import annotations

from pathlib import Path

from bundles import subjects
from bundles.case import Case


def make(place: Path) -> Case:
    return subjects.dataset(place, revision=subjects.COMMIT)
