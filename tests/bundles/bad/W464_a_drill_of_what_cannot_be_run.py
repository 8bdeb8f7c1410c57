"""A drill chose a bundle whose command is not known."""

from __future__ import annotations

from pathlib import Path

from bundles import archives
from bundles.case import Case

from reprokit.errors import InputMissingError


def make(place: Path) -> Case:
    archive, _ = archives.with_bundle(place)

    def reproduce(bundle: str, _: str) -> None:
        raise InputMissingError(f"`{bundle}` cannot be reproduced here: its command is not known")

    return archives.drilled(archive, reproduce)
