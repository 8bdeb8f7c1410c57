"""The index serves a wheel of a package for machines with an older libc, which the run's accepts."""

from __future__ import annotations

from pathlib import Path

from bundles import audits
from bundles.case import Case


def make(place: Path) -> Case:
    return audits.rebuilt(place, "alpha-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", "alpha-1.0.tar.gz")
