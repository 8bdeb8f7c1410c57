"""The evaluation changed a file of its own checkout."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    changes = "open('prompt.txt', 'w').write('other')\n"
    folder = live.checkout(place / "evals", {"evaluate.py": live.WRITES + changes, "prompt.txt": "one"})
    return live.captured(place, folder)
