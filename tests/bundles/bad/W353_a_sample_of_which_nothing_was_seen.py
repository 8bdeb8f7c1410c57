"""Of one sample it was not seen which picture the model was shown."""

from __future__ import annotations

from pathlib import Path

from bundles import media
from bundles.case import Case


def make(place: Path) -> Case:
    return media.seen(place, {0: [media.PICTURE]})
