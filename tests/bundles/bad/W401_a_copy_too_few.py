"""The policy asks for two copies, and there is the one here."""

from __future__ import annotations

from pathlib import Path

from bundles import archives, audits
from bundles.case import Case

from reprokit.audit.policy import Policy


def make(place: Path) -> Case:
    return audits.copied(*archives.with_bundle(place), Policy(copies=2))
