"""The commit of a checkout is on its remote."""

from __future__ import annotations

from pathlib import Path

from bundles import audits, live
from bundles.case import Case

from reprokit import git


def make(place: Path) -> Case:
    remote = live.checkout(place / "remote")
    commit = git.run(["rev-parse", "HEAD"], directory=remote).decode().strip()
    return audits.identified(audits.of_checkout(place, remote, commit))
