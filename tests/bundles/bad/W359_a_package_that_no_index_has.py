"""A package of the environment is on no index that could be asked."""

from __future__ import annotations

from pathlib import Path

from bundles import wheels
from bundles.case import Case

from reprokit.bundle.environment import Package


def make(place: Path) -> Case:
    return wheels.collected(place, Package(name="alpha", version="1.0"))
