"""The policy asks for a reproduction every year; the run was repeated in part 364 days ago."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from bundles import archives, audits
from bundles.case import Case

from reprokit.audit.policy import Policy


def make(place: Path) -> Case:
    bundle = audits.held(place)
    archives.append_event(bundle.archive, bundle.id, "reproduced", tier="smoke", verdict="equivalent")
    return audits.aged(bundle, Policy(reproduce_every=dt.timedelta(days=365)), audits.NOW + dt.timedelta(days=364))
