"""A symbolic link, to the very same bytes outside of the bundle, stands for a payload file."""

from __future__ import annotations

from pathlib import Path

from bundles import sealing
from bundles.case import Case


def make(place: Path) -> Case:
    bundle = sealing.sealed(place)
    (bundle / "data/harness/results.json").rename(place / "results.json")
    (bundle / "data/harness/results.json").symlink_to(place / "results.json")
    return sealing.validated(bundle)
