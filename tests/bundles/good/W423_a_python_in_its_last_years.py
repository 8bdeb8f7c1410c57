"""The run had a Python that gets security fixes and nothing else."""

from __future__ import annotations

from pathlib import Path

from bundles import audits
from bundles.case import Case


def make(place: Path) -> Case:
    return audits.rebuilt(place, "alpha-1.0-py3-none-any.whl", python="3.12.1")
