"""The environment has no package at all, so that no wheel is missing."""

from __future__ import annotations

from pathlib import Path

from bundles import wheels
from bundles.case import Case


def make(place: Path) -> Case:
    return wheels.collected(place)
