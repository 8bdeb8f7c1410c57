"""The run was repeated with too few samples to tell whether it came out the same."""

from __future__ import annotations

from pathlib import Path

from bundles import archives, audits
from bundles.case import Case

from reprokit.audit.policy import Policy


def make(place: Path) -> Case:
    bundle = audits.held(place)
    archives.append_event(bundle.archive, bundle.id, "reproduced", tier="smoke", verdict="inconclusive")
    return audits.aged(bundle, Policy(), audits.NOW)
