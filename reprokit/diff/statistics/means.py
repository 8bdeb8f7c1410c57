"""Differences of means and what they may be off by.

A standard error is None when there is nothing to estimate it from: fewer than two samples (or clusters) that changed,
or no spread among them. That ten samples changed by the same amount does not show that the eleventh would: a spread of
zero is what little data looks like, not certainty. So nothing here ever says a standard error of zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reprokit.diff.statistics.clustered import Robust, cluster_robust
from reprokit.diff.statistics.pairs import Pairs
from reprokit.diff.statistics.summing import ROUNDING, exact_sum


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Two scores and their difference.

    Attributes:
        a: score of the first side
        b: score of the second
        difference: b minus a
        stderr: standard error of the difference, above 0; None when it cannot be estimated
        degrees: degrees of freedom of that standard error; may be fractional or infinite; 0 when there is none
        presumed: what stands for a missing standard error in an aggregate, with one degree of freedom; None: nothing
    """

    a: float
    b: float
    difference: float
    stderr: float | None
    degrees: float
    presumed: float | None = None


@dataclass(frozen=True, kw_only=True)
class PairedMean(Estimate):
    """Means over the same samples.

    Attributes:
        n: pairs
        clusters: groups of pairs that may depend on each other; None: each pair is its own
        changed: pairs (clusters) whose difference is not zero
        design_effect: variance with the clusters over variance as if all pairs were independent; None without clusters
            or when either cannot be estimated
    """

    n: int
    clusters: int | None = None
    changed: int
    design_effect: float | None = None


def paired_mean(pairs: Pairs) -> PairedMean:
    """Mean of the differences b minus a, pair by pair.

    Pairing takes out what both runs share, how hard each sample is: Miller, Adding error bars to evals, arXiv
    2411.00640 (2024). Without clusters the standard error is the differences' standard deviation (n - 1) over sqrt(n),
    with n - 1 degrees of freedom; with them see `cluster_robust`.

    There are never more degrees of freedom than samples (clusters) that changed, less one. A thousand samples of which
    five changed say well how many change, but of how far they change only five tell; with n - 1, every eighth interval
    of 95 % misses.
    """
    change = pairs.change
    n, units = len(change), len(pairs.units)
    changed = int(np.count_nonzero(pairs.units))
    difference = exact_sum(change) / n
    largest = max(float(np.max(np.abs(pairs.a))), float(np.max(np.abs(pairs.b))))
    spread = exact_sum((change - difference) ** 2)
    steady = float(np.max(np.abs(change - difference))) <= ROUNDING * largest
    alone = None if n < 2 or steady else Robust(variance=spread / (n - 1) / n, degrees=n - 1.0)  # noqa: PLR2004
    robust = alone
    if pairs.clusters is not None:
        robust = cluster_robust(pairs.clusters, mean=difference, spread=spread, largest=largest)
    known = None if robust is None or changed < 2 else robust  # noqa: PLR2004
    return PairedMean(
        a=exact_sum(pairs.a) / n,
        b=exact_sum(pairs.b) / n,
        difference=difference,
        stderr=None if known is None else math.sqrt(known.variance),
        degrees=0.0 if known is None else min(known.degrees, changed - 1.0),
        presumed=_one_change(pairs),
        n=n,
        clusters=None if pairs.clusters is None else units,
        changed=changed,
        design_effect=known.variance / alone.variance if known and alone and pairs.clusters is not None else None,
    )


def _one_change(pairs: Pairs) -> float | None:
    """Standard error as if one sample (the largest cluster) had changed from the lowest score to the highest."""
    both = (pairs.a, pairs.b)
    scale = 1.0 if pairs.binary else max(float(np.max(x)) for x in both) - min(float(np.min(x)) for x in both)
    largest = 1.0 if pairs.clusters is None else float(np.max(pairs.clusters.sizes))
    return scale * largest / len(pairs.change) or None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One side's score with what is known of its error.

    Attributes:
        value: the score
        stderr: its standard error; None when not known
        n: samples it is the mean of; None when not known
    """

    value: float
    stderr: float | None = None
    n: int | None = None


def unpaired_mean(a: Measured, b: Measured) -> Estimate:
    """Difference of two scores of which only the standard errors are known.

    Degrees of freedom are those of Welch and Satterthwaite (Satterthwaite, An approximate distribution of estimates of
    variance components, Biometrics Bulletin 2 (1946) 110-114) when both sample sizes are known; else infinite. A side
    without spread, or of one sample, does not say what it may be off by, and then the difference has no standard error.
    """
    one, other = _squared(a), _squared(b)
    told = None if one is None or other is None else [one, other]
    sizes = [math.inf, math.inf] if a.n is None or b.n is None else [a.n - 1.0, b.n - 1.0]
    return Estimate(
        a=a.value,
        b=b.value,
        difference=b.value - a.value,
        stderr=None if told is None else math.sqrt(math.fsum(told)) or None,
        degrees=0.0 if told is None else _satterthwaite(told, sizes),
    )


def _squared(side: Measured) -> float | None:
    if side.stderr is None or side.stderr <= 0.0 or (side.n is not None and side.n < 2):  # noqa: PLR2004
        return None
    return side.stderr**2


def weighted_mean(weights: Sequence[float], parts: Sequence[Estimate]) -> Estimate:
    """Difference of an aggregate over independent parts, for example of a group over its tasks.

    The variance is the sum of w_i^2 se_i^2; degrees of freedom are Satterthwaite's. A part in which nothing changed
    has no standard error; counting it as 0 would claim too much, and it would be a pity to say nothing of sixty tasks
    because of one: so it counts as if one sample had changed by as much as any can, with one degree of freedom.

    Args:
        weights: one for each part, as the aggregate uses them (for a mean they add up to 1)
        parts: what is known of each. One with a weight and neither standard error nor `presumed`, or none with a
            standard error, leaves the whole without one.

    Raises:
        ValueError: there is no part, or not one weight for each
    """
    if len(weights) != len(parts) or not parts:
        raise ValueError(f"{len(weights)} weights for {len(parts)} parts")
    counted = [(weight, part) for weight, part in zip(weights, parts, strict=True) if weight != 0.0]
    errors = [(weight, *_error(part)) for weight, part in counted]
    variances = [(weight * error) ** 2 for weight, error, _ in errors if error is not None]
    known = len(variances) == len(counted) and any(part.stderr is not None for _, part in counted)
    return Estimate(
        a=math.fsum(weight * part.a for weight, part in counted),
        b=math.fsum(weight * part.b for weight, part in counted),
        difference=math.fsum(weight * part.difference for weight, part in counted),
        stderr=math.sqrt(math.fsum(variances)) or None if known else None,
        degrees=_satterthwaite(variances, [degrees for *_, degrees in errors]) if known else 0.0,
    )


def _error(part: Estimate) -> tuple[float | None, float]:
    return (part.presumed, 1.0) if part.stderr is None else (part.stderr, part.degrees)


def _satterthwaite(variances: Sequence[float], degrees: Sequence[float]) -> float:
    shares = math.fsum(variance**2 / each for variance, each in zip(variances, degrees, strict=True))
    return math.fsum(variances) ** 2 / shares if shares else math.inf
