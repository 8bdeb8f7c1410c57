"""Is a difference too small to matter? Two one-sided tests.

Schuirmann, A comparison of the two one-sided tests procedure and the power approach for assessing the equivalence of
average bioavailability, Journal of Pharmacokinetics and Biopharmaceutics 15 (1987) 657-680. Both "it is at most minus
the margin" and "it is at least the margin" must be rejected at level alpha; that is so exactly when the interval of
level 1 - 2 alpha lies within the margin.
"""

from __future__ import annotations

from dataclasses import dataclass

from reprokit.diff.statistics import proportions, student
from reprokit.diff.statistics.interval import Interval, alpha_of


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """What the two tests say.

    Attributes:
        margin: differences smaller than this count as none
        p: the larger of the two one-sided p-values
        interval: of level 1 - 2 alpha
        equivalent: whether both tests reject, that is whether the interval lies within the margin
    """

    margin: float
    p: float
    interval: Interval
    equivalent: bool


def equivalent_by_t(difference: float, stderr: float, degrees: float, *, margin: float, level: float) -> Equivalence:
    """Test by Student's t.

    Args:
        difference: the estimate
        stderr: its standard error, above 0
        degrees: of freedom; may be infinite
        margin: above 0, in the units of the difference
        level: 1 - alpha, for example 0.95 for two tests at 5 %
    """
    under = student.cumulative((difference - margin) / stderr, degrees)
    over = student.cumulative((-difference - margin) / stderr, degrees)
    interval = student.t_interval(difference, stderr, degrees, level=_narrower(level))
    return _decided(margin, max(under, over), interval, level)


def equivalent_proportions(won: int, lost: int, n: int, *, margin: float, level: float) -> Equivalence:
    """Test two proportions over the same samples: see `proportions.below`.

    Args:
        won: samples that only b has right
        lost: samples that only a has right
        n: all samples, at least 1
        margin: above 0
        level: 1 - alpha
    """
    under = proportions.below(won, lost, n, difference=margin)
    over = proportions.above(won, lost, n, difference=-margin)
    interval = proportions.score_interval(won, lost, n, level=_narrower(level))
    return _decided(margin, max(under, over), interval, level)


def _narrower(level: float) -> float:
    return round(1.0 - 2.0 * alpha_of(level), 12)


def _decided(margin: float, p: float, interval: Interval, level: float) -> Equivalence:
    # Both say the same but for rounding; when rounding parts them, the one that claims less is right.
    within = -margin < interval.low and interval.high < margin
    return Equivalence(margin=margin, p=p, interval=interval, equivalent=within and p < alpha_of(level))
