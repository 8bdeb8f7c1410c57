"""Settings files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bundles.case import Case

from reprokit.archive.layout import SETTINGS
from reprokit.archive.settings import unknown_keys


def read(place: Path, text: str) -> Case:
    """Ask what of a settings file nobody reads."""
    (place / SETTINGS).write_text(text)
    return Case(look=partial(unknown_keys, place / SETTINGS))
