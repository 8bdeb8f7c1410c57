"""What an archive holds that is unfinished, and whether its clocks agree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from reprokit import clock
from reprokit.archive import ledger, pending, publication, registration
from reprokit.archive.doctor.checking import Check, fail, ok, warn
from reprokit.archive.layout import Archive

_SKEW = dt.timedelta(minutes=5)
_BEGINNING = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


def check(archive: Archive) -> Iterator[Check]:
    """Look for what interrupted captures left."""
    abandoned = publication.abandoned(archive)
    if abandoned:
        yield warn(
            "captures",
            f"{len(abandoned)} interrupted, which left something in the staging area",
            "`reprokit status` names them, `reprokit status --clear` removes it",
        )
    waiting = sorted({*pending.waiting(archive), *registration.rescan(archive)})
    if waiting:
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        yield warn(
            "captures", f"`{waiting[0]}`{more} published, and not yet registered", "`reprokit status` registers it"
        )
    if not abandoned and not waiting:
        yield ok("captures", "none is unfinished")


def check_clock(archive: Archive) -> Iterator[Check]:
    """Compare the clock with what it cannot be earlier than: this program, and the newest event."""
    now = clock.now()
    if now < _BEGINNING:
        yield fail("clock", f"it says {clock.text(now)}", "set it: every record would be misdated")
        return
    newest = ledger.newest(archive)
    moment = dt.datetime.strptime(newest, "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC) if newest else now
    if moment > now + _SKEW:
        yield warn(
            "clock",
            f"it says {clock.text(now)}, and the newest event in the ledger is of {clock.text(moment)}",
            "see which machine's clock is wrong, and set it: `latest` and labels go by time",
        )
    else:
        yield ok("clock", "it agrees with the ledger")
