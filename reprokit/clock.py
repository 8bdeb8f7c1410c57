"""The one place that asks what time it is: records hold UTC."""

from __future__ import annotations

import datetime as dt

UTC = dt.UTC


def now() -> dt.datetime:
    """Tell the present time, in UTC."""
    return dt.datetime.now(UTC)  # noqa: TID251 - this is the place the rule points to


def text(moment: dt.datetime) -> str:
    """Write a moment as records hold it: `2026-11-23T03:15:47.123456Z`, without a fraction of zero."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def from_epoch(seconds: float) -> str:
    """Write a POSIX time stamp (seconds) as records hold it."""
    return text(dt.datetime.fromtimestamp(seconds, UTC))


def parse(written: str) -> dt.datetime:
    """Read a moment as records hold it.

    Raises:
        ValueError: it is no UTC time of that form.
    """
    if not written.endswith("Z"):
        message = f"`{written}` does not end in `Z`"
        raise ValueError(message)
    return dt.datetime.fromisoformat(written)


def compact(moment: dt.datetime) -> str:
    """Write a moment to the second for names: `20261123T031547Z`."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
