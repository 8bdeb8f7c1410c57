"""Where the log of the evaluation's output belongs, no file can be made."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    (place / "logs").write_text("not a folder")
    return live.recorded_in(place / "logs", "true")
