"""A record holds a member that this version does not know: whoever reads it passes that over."""

from __future__ import annotations

from pathlib import Path

from bundles import sealing
from bundles.case import Case


def make(place: Path) -> Case:
    more = sealing.changed_json("results.json", lambda results: results.update(from_the_future=[1, 2]))
    return sealing.validated(sealing.sealed(place, sealing.files() | more))
