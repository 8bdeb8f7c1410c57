"""The policy asks for a reading every 90 days; the last was 89 days ago."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from bundles import audits
from bundles.case import Case

from reprokit.audit.policy import Policy


def make(place: Path) -> Case:
    bundle = audits.held(place)
    audits.read_whole(bundle, audits.NOW)
    return audits.aged(bundle, Policy(read_every=dt.timedelta(days=90)), audits.NOW + dt.timedelta(days=89))
