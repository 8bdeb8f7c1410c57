"""A confidence interval."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A confidence interval of a difference.

    Attributes:
        low: lower end, in the units of the scores
        high: upper end
        level: confidence, between 0 and 1
    """

    low: float
    high: float
    level: float


def alpha_of(level: float) -> float:
    """Level of the tests that belong to intervals of this level: 0.05 for 0.95, without a trail of rounding."""
    return round(1.0 - level, 12)
