"""Exact test of two runs that are right or wrong on the same samples."""

from __future__ import annotations

from scipy.special import betainc


def exact_mcnemar(won: int, lost: int) -> float:
    """Two-sided p of no difference: when it is true, each sample that turned turned either way with probability 1/2.

    McNemar, Note on the sampling error of the difference between correlated proportions, Psychometrika 12 (1947)
    153-157; the exact form doubles the smaller tail of the binomial distribution and is at most 1.

    Args:
        won: samples that only b has right
        lost: samples that only a has right
    """
    fewer, turned = min(won, lost), won + lost
    if 2 * fewer == turned:
        return 1.0
    # P(X <= k) of a binomial is an incomplete beta function: no sum over as many terms as there are samples.
    return min(1.0, 2.0 * float(betainc(turned - fewer, fewer + 1, 0.5)))
