"""All that can be said of one difference beyond the samples at hand."""

from __future__ import annotations

from dataclasses import dataclass

from reprokit.diff.statistics import student
from reprokit.diff.statistics.choosing import tested
from reprokit.diff.statistics.equivalence import Equivalence, equivalent_by_t, equivalent_proportions
from reprokit.diff.statistics.interval import Interval
from reprokit.diff.statistics.means import Estimate, PairedMean, paired_mean
from reprokit.diff.statistics.pairs import Labels, pair
from reprokit.diff.statistics.power import detectable
from reprokit.diff.statistics.proportions import score_interval
from reprokit.diff.statistics.summing import Numbers


@dataclass(frozen=True, kw_only=True)
class Inferred:
    """What can be said of a difference.

    Attributes:
        n: pairs; None when the difference is not of pairs
        clusters: groups of pairs that may depend on each other; None: each pair is its own
        design_effect: variance with the clusters over variance as if all pairs were independent
        a: score of the first side
        b: score of the second
        difference: b minus a
        stderr: standard error of the difference; None when no spread can be estimated
        degrees: degrees of freedom of it; may be fractional or infinite; 0 when there is none
        interval: confidence interval of the difference
        interval_by: how it was found
        test: name of the test of no difference
        resamples: its random draws; None when there were none
        p: two-sided
        detectable: the smallest true difference that a two-sided t test finds with the asked power
        equivalence: None when no margin was asked for, or no interval can be given
        note: why something is missing
        presumed: what stands for a missing standard error in an aggregate, see `Estimate`
    """

    n: int | None = None
    clusters: int | None = None
    design_effect: float | None = None
    a: float
    b: float
    difference: float
    stderr: float | None
    degrees: float
    interval: Interval | None = None
    interval_by: str | None = None
    test: str | None = None
    resamples: int | None = None
    p: float | None = None
    detectable: float | None = None
    equivalence: Equivalence | None = None
    note: str | None = None
    presumed: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Bounds:
    interval: Interval | None = None
    by: str | None = None
    equivalence: Equivalence | None = None


def infer(
    a: Numbers,
    b: Numbers,
    clusters: Labels | None = None,
    *,
    level: float = 0.95,
    power: float = 0.8,
    margin: float | None = None,
) -> Inferred:
    """Compare the scores of one metric over the same samples.

    Swapping a and b turns every sign and leaves every p as it is, to the last bit; the order of the samples does not
    matter. Clusters of one sample each are no clusters.

    Args:
        a: scores of n samples, finite
        b: scores of the same samples in the same order
        clusters: n integer labels; equal labels, same cluster
        level: of the interval; 1 - level is the level of the tests
        power: at which the detectable difference is told
        margin: above 0, differences smaller than this count as none; None: not asked

    Raises:
        ValueError: there is no pair, or lengths differ
    """
    pairs = pair(a, b, clusters)
    mean = paired_mean(pairs)
    test = tested(pairs, mean)
    if pairs.binary and pairs.clusters is None:
        bounds = _by_score(*pairs.turned, mean.n, level=level, margin=margin)
    else:
        bounds = _by_t(mean, level=level, margin=margin, by="t" if mean.clusters is None else "t, cluster-robust")
    return Inferred(
        n=mean.n,
        clusters=mean.clusters,
        design_effect=mean.design_effect,
        a=mean.a,
        b=mean.b,
        difference=mean.difference,
        stderr=mean.stderr,
        degrees=mean.degrees,
        interval=bounds.interval,
        interval_by=bounds.by,
        test=test.test,
        resamples=test.resamples,
        p=test.p,
        detectable=_found(mean, level=level, power=power),
        equivalence=bounds.equivalence,
        note=_why_no_spread(mean),
        presumed=mean.presumed,
    )


def conclude(
    estimate: Estimate,
    *,
    test: str,
    interval_by: str,
    level: float = 0.95,
    power: float = 0.8,
    margin: float | None = None,
) -> Inferred:
    """Say the same of a difference known by its standard error alone: by t, which is normal for infinite degrees.

    Args:
        estimate: for example of `unpaired_mean` or `weighted_mean`
        test: how the test is called
        interval_by: how the interval is called
        level: of the interval; 1 - level is the level of the test
        power: at which the detectable difference is told
        margin: above 0, differences smaller than this count as none; None: not asked
    """
    stderr = estimate.stderr
    bounds = _by_t(estimate, level=level, margin=margin, by=interval_by)
    return Inferred(
        a=estimate.a,
        b=estimate.b,
        difference=estimate.difference,
        stderr=stderr,
        degrees=estimate.degrees,
        interval=bounds.interval,
        interval_by=bounds.by,
        test=None if stderr is None else test,
        p=None if stderr is None else student.t_test(estimate.difference, stderr, estimate.degrees),
        detectable=_found(estimate, level=level, power=power),
        equivalence=bounds.equivalence,
        note="no standard error is known" if stderr is None else None,
    )


def _by_score(won: int, lost: int, n: int, *, level: float, margin: float | None) -> _Bounds:
    return _Bounds(
        interval=score_interval(won, lost, n, level=level),
        by="score interval, exact tails",
        equivalence=None if margin is None else equivalent_proportions(won, lost, n, margin=margin, level=level),
    )


def _by_t(estimate: Estimate, *, level: float, margin: float | None, by: str) -> _Bounds:
    difference, stderr, degrees = estimate.difference, estimate.stderr, estimate.degrees
    if stderr is None:
        return _Bounds()
    within = None if margin is None else equivalent_by_t(difference, stderr, degrees, margin=margin, level=level)
    return _Bounds(interval=student.t_interval(difference, stderr, degrees, level=level), by=by, equivalence=within)


def _found(estimate: Estimate, *, level: float, power: float) -> float | None:
    return None if estimate.stderr is None else detectable(estimate.stderr, estimate.degrees, level=level, power=power)


def _why_no_spread(mean: PairedMean) -> str | None:
    if mean.stderr is not None:
        return None
    what, net = ("sample", "") if mean.clusters is None else ("cluster", " on balance")
    if (mean.n if mean.clusters is None else mean.clusters) == 1:
        return f"one {what}: no spread to estimate"
    if mean.changed <= 1:
        return f"{'one' if mean.changed else 'no'} {what} changed{net}: no spread to estimate"
    return f"every {what} changed by the same amount: no spread to estimate"
