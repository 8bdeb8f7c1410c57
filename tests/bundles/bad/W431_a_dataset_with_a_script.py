"""A dataset came with a script of its own name, which an older version of its library ran."""

from __future__ import annotations

from pathlib import Path

from bundles import audits
from bundles.case import Case


def make(place: Path) -> Case:
    return audits.outlived(audits.of_dataset(place, "qa.py", "3.6.0"))
