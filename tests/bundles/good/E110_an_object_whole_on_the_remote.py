"""Every object on the remote is what was sent."""

from __future__ import annotations

from pathlib import Path

from bundles import remotes
from bundles.case import Case


def make(place: Path) -> Case:
    return remotes.pushed(place).pulled()
