"""The policy asks for a copy on a remote, and the bundle was pushed to it."""

from __future__ import annotations

from pathlib import Path

from bundles import audits, remotes
from bundles.case import Case

from reprokit.audit.policy import Policy


def make(place: Path) -> Case:
    pushed = remotes.pushed(place)
    return audits.copied(pushed.archive, pushed.bundle, Policy(remotes=("store",)))
