"""Which bundles an audit looks at, in which order, and how closely."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from reprokit import clock


def in_order(ids: Sequence[str], last_read: Mapping[str, str]) -> list[str]:
    """Sort bundles: those never read whole first, then those whose reading is longest ago.

    So a budget that ends an audit early leaves out what needs it least, and the next one goes on from there.
    """
    return sorted(ids, key=lambda each: (last_read.get(each, ""), each))


def sample(ids: Sequence[str], share: float, done: Collection[str]) -> list[str]:
    """Choose bundles at random, each as likely as any other, at least one; what is `done` counts among them.

    Args:
        ids: to choose from.
        share: how many of them, 0 to 1.
        done: bundles that an interrupted audit of the same kind has chosen already.
    """
    wanted = min(len(ids), max(1, math.ceil(len(ids) * share)))
    before = [each for each in ids if each in done]
    rest = [each for each in ids if each not in done]
    more = max(0, wanted - len(before))
    import numpy as np  # noqa: PLC0415 - a fifth of a second, for a sample only

    chosen = set(before) | set(np.random.default_rng().permutation(rest)[:more].tolist())
    return [each for each in ids if each in chosen]


def how(last_read: str | None, since: dt.timedelta | None, now: dt.datetime) -> Literal["whole", "names"]:
    """Tell how a bundle is to be read: whole, unless that was done, and found well, within the time given."""
    if since is None or last_read is None:
        return "whole"
    return "names" if now - clock.parse(last_read) <= since else "whole"
