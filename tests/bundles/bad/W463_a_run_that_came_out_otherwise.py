"""The run was repeated, and came out different."""

from __future__ import annotations

from pathlib import Path

from bundles import archives, audits
from bundles.case import Case

from reprokit.audit.policy import Policy


def make(place: Path) -> Case:
    bundle = audits.held(place)
    archives.append_event(bundle.archive, bundle.id, "reproduced", tier="rerun", verdict="different")
    return audits.aged(bundle, Policy(), audits.NOW)
