"""git cannot read a submodule of the checkout."""

from __future__ import annotations

from pathlib import Path

from bundles import live
from bundles.case import Case


def make(place: Path) -> Case:
    live.with_submodule(place)
    (place / "evals/.git/modules/vendored/library/index").write_bytes(b"garbage")
    return live.captured(place, place / "evals")
