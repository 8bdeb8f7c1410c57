"""A module was loaded from a checkout that git cannot read."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    folder = live.checkout(place / "evals", {"evaluate.py": live.WRITES + "import loose\n"})
    other = live.checkout(place / "loose", {"loose.py": ""})
    (other / ".git/index").write_bytes(b"garbage")
    return live.captured(place, folder, PYTHONPATH=str(other))
