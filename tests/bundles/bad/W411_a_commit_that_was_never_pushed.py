"""The commit of a checkout is not on its remote."""

from __future__ import annotations

from pathlib import Path

from bundles import audits, live
from bundles.case import Case


def make(place: Path) -> Case:
    remote = live.checkout(place / "remote")
    return audits.identified(audits.of_checkout(place, remote, audits.COMMIT))
