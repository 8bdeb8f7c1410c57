"""The bundle is not signed, and no policy asks for it."""

from __future__ import annotations

from pathlib import Path

from bundles import audits
from bundles.case import Case


def make(place: Path) -> Case:
    return audits.signed(audits.held(place))
