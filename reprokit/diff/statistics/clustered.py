"""The variance of a mean when samples come in clusters that may depend on each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reprokit.diff.statistics.pairs import Clusters
from reprokit.diff.statistics.summing import ROUNDING, Numbers, exact_sum


@dataclass(frozen=True, kw_only=True)
class Robust:
    """A cluster-robust variance of a mean, above 0, and its degrees of freedom."""

    variance: float
    degrees: float


def cluster_robust(clusters: Clusters, *, mean: float, spread: float, largest: float) -> Robust | None:
    """Variance of the mean of numbers in clusters, whatever their dependence within a cluster (CR2).

    Liang and Zeger, Longitudinal data analysis using generalized linear models, Biometrika 73 (1986) 13-22, as refined
    by Bell and McCaffrey, Bias reduction in standard errors for linear regression with multi-stage samples, Survey
    Methodology 28 (2002) 169-181; see Cameron and Miller, A practitioner's guide to cluster-robust inference, Journal
    of Human Resources 50 (2015) 317-372. For a mean it is

        sum over clusters g of r_g^2 / (1 - n_g / n), over n^2,

    where r_g is the sum of the residuals of a cluster and n_g its size. With G clusters of one size it equals CR1,
    G / (G - 1) times the sum of r_g^2 over n^2, and has G - 1 degrees of freedom. With ten unequal clusters, CR1 with
    G - 1 rejects a true hypothesis four times as often as it says.

    Args:
        clusters: their sums and sizes
        mean: of the numbers
        spread: sum of the squares of the numbers minus their mean
        largest: the size of the scores behind the numbers, by which rounding is told from spread

    Returns:
        None when there are fewer than two clusters or no spread among them.
    """
    size = clusters.sizes
    residuals = clusters.sums - size * mean
    if len(size) < 2 or not np.any(np.abs(residuals) > ROUNDING * largest * size):  # noqa: PLR2004
        return None
    n = exact_sum(size)
    variance = exact_sum(residuals**2 / (1.0 - size / n)) / n**2
    return Robust(variance=variance, degrees=_degrees(size, _correlation(residuals, size, spread)))


def _correlation(residuals: Numbers, size: Numbers, spread: float) -> float:
    """Correlation of two numbers of one cluster, between 0 and 1: the mean product of residuals over their variance."""
    pairs = exact_sum(size * (size - 1.0))
    if not pairs:
        return 0.0
    shared = (exact_sum(residuals**2) - spread) / pairs
    return min(1.0, max(0.0, shared / (spread / exact_sum(size))))


def _degrees(size: Numbers, correlation: float) -> float:
    """Degrees of freedom of the variance: Satterthwaite's, twice its squared expectation over its variance.

    The expectation is taken for numbers that correlate equally within each cluster: Imbens and Kolesár, Robust standard
    errors in small samples, Review of Economics and Statistics 98 (2016) 701-712. With p_g = n_g / n and v_g the
    variance of a cluster's sum, residuals have covariance K_gg = v_g - 2 p_g q_g and K_gh = -(p_g q_h + p_h q_g) with
    q_g = v_g - p_g V / 2, V being the sum of all v: so the double sum comes apart into single ones.
    """
    share = size / exact_sum(size)
    variance = size * (1.0 + (size - 1.0) * correlation)
    weight = 1.0 / (1.0 - share)
    half = variance - share * exact_sum(variance) / 2.0
    own = variance - 2.0 * share * half
    expected = exact_sum(weight * own)
    cross = weight * share * half
    squared = (
        2.0 * exact_sum(weight * half**2) * exact_sum(weight * share**2)
        + 2.0 * exact_sum(cross) ** 2
        + exact_sum((weight * own) ** 2 - 4.0 * cross**2)
    )
    return expected**2 / squared
