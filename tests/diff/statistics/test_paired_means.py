"""Means of paired differences against scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans

from reprokit.diff.statistics.interval import alpha_of
from reprokit.diff.statistics.means import Estimate, Measured, paired_mean, unpaired_mean, weighted_mean
from reprokit.diff.statistics.pairs import cluster_sums, pair
from reprokit.diff.statistics.student import t_interval, t_test

CLOSE = {"rel": 1e-9, "abs": 1e-12}


def some_scores(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    n = int(generator.integers(3, 200))
    a = generator.gamma(2.0, 10.0 ** generator.integers(-3, 4), n)
    return a, a + generator.normal(0.1, generator.uniform(0.01, 5), n), generator.integers(0, max(2, n // 4), n)


def test_paired_t_is_that_of_statsmodels():
    for seed in range(60):
        a, b, _ = some_scores(seed)
        mean = paired_mean(pair(a, b))
        told = sm.OLS(b - a, np.ones(len(a))).fit()
        interval = t_interval(mean.difference, mean.stderr, mean.degrees, level=0.9)

        assert mean.degrees == told.df_resid, f"seed {seed}"
        assert mean.stderr == pytest.approx(stats.sem(b - a), **CLOSE), f"seed {seed}"
        assert t_test(mean.difference, mean.stderr, mean.degrees) == pytest.approx(told.pvalues[0], **CLOSE), (
            f"seed {seed}"
        )
        assert (interval.low, interval.high) == pytest.approx(tuple(told.conf_int(0.1)[0]), **CLOSE), f"seed {seed}"
        assert (mean.a, mean.b) == pytest.approx((np.mean(a), np.mean(b)), **CLOSE), f"seed {seed}"


def test_clusters_of_one_size_have_the_robust_error_of_statsmodels():
    for seed in range(40):
        generator = np.random.default_rng(seed)
        count, size = int(generator.integers(2, 30)), int(generator.integers(2, 6))
        labels = generator.permutation(np.repeat(np.arange(count), size))
        change = generator.normal(size=len(labels)) + generator.normal(size=count)[labels]
        mean = paired_mean(pair(np.zeros(len(labels)), change, labels))
        fitted = sm.OLS(change, np.ones(len(labels))).fit(cov_type="cluster", cov_kwds={"groups": labels}, use_t=True)
        stderr = math.sqrt(fitted.cov_params()[0, 0])

        assert mean.stderr == pytest.approx(stderr, **CLOSE), f"seed {seed}"
        assert mean.degrees == pytest.approx(count - 1, **CLOSE), f"seed {seed}"
        assert mean.clusters == count, f"seed {seed}"
        assert mean.design_effect == pytest.approx((stderr / stats.sem(change)) ** 2, **CLOSE), f"seed {seed}"
        assert t_test(mean.difference, mean.stderr, mean.degrees) == pytest.approx(fitted.pvalues[0], **CLOSE), (
            f"seed {seed}"
        )


def test_unequal_clusters_have_the_error_and_degrees_of_the_definition_in_matrices():
    for seed in range(40):
        a, b, labels = some_scores(seed)
        mean = paired_mean(pair(a, b, labels))
        stderr, degrees = bell_and_mccaffrey(b - a, labels)

        assert mean.stderr == pytest.approx(stderr, **CLOSE), f"seed {seed}"
        assert mean.degrees == pytest.approx(degrees, **CLOSE), f"seed {seed}"


def bell_and_mccaffrey(change: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """CR2 and its degrees of freedom, from the square root of each block of I - H and the residual-making matrix."""
    n = len(change)
    same = (labels[:, None] == labels[None, :]).astype(float)
    maker = np.eye(n) - np.ones((n, n)) / n
    residual = maker @ change
    contrasts = []
    for label in np.unique(labels):
        rows = labels == label
        values, vectors = np.linalg.eigh(maker[np.ix_(rows, rows)])
        whitener = vectors @ np.diag(values**-0.5) @ vectors.T
        contrasts.append(whitener.sum(axis=0) @ maker[rows] / n)
    covering = np.array(contrasts)
    between = same - np.eye(n)
    correlation = np.clip(
        (residual @ between @ residual / max(between.sum(), 1.0)) / (residual @ residual / n), 0.0, 1.0
    )
    covariance = covering @ (np.eye(n) + correlation * between) @ covering.T
    return float(np.sqrt(np.sum((covering @ change) ** 2))), np.trace(covariance) ** 2 / np.sum(covariance**2)


def test_clusters_of_one_sample_are_no_clusters():
    a, b, _ = some_scores(1)

    assert paired_mean(pair(a, b, np.arange(len(a)))) == paired_mean(pair(a, b))


def test_degrees_of_freedom_are_those_of_the_samples_that_changed():
    a = np.zeros(1000)
    b = a.copy()
    b[:5] = [0.1, 0.2, 0.3, 0.4, -0.5]

    mean = paired_mean(pair(a, b))

    assert (mean.changed, mean.degrees) == (5, 4.0)
    assert mean.stderr == pytest.approx(stats.sem(b), **CLOSE)


@pytest.mark.parametrize(
    ("a", "b", "labels"),
    [
        ([0.5], [0.7], None),
        ([0.5, 0.25], [0.5, 0.25], None),
        ([0.1, 0.2, 0.3], [0.2, 0.3, 0.4], None),
        ([0.1 + 0.2, 0.5], [0.3, 0.5], None),
        ([0.5, 0.25, 0.0], [0.5, 0.25, 1.0], None),
        ([0.0, 0.0, 0.0], [0.1, 0.2, 0.3], [7, 7, 7]),
        ([0.0, 0.0, 0.0, 0.0], [0.3, -0.3, 0.1, -0.1], [1, 1, 2, 2]),
    ],
    ids=["one sample", "no change", "one change for all", "rounding", "one changed", "one cluster", "equal clusters"],
)
def test_a_spread_that_cannot_be_estimated_is_not_zero_but_unknown(a, b, labels):
    mean = paired_mean(pair(np.array(a), np.array(b), None if labels is None else np.array(labels)))

    assert mean.stderr is None
    assert mean.degrees == 0.0


def test_rounding_is_no_difference():
    pairs = pair(np.array([0.1 + 0.2, 1e9 + 0.3, 0.0]), np.array([0.3, 1e9 + 0.1 + 0.2, 1e-300]))

    assert pairs.change.tolist() == [0.0, 0.0, 1e-300]


def test_sums_of_clusters_are_zero_when_only_rounding_is_left():
    clusters = cluster_sums(np.array([0.1, 0.2, -0.3, 1.0, 2.5]), np.array([4, 4, 4, 2, 2]))

    assert clusters.sums.tolist() == [3.5, 0.0]
    assert clusters.sizes.tolist() == [2.0, 3.0]


def test_unpaired_means_are_those_of_welch():
    for seed in range(30):
        generator = np.random.default_rng(seed)
        a, b = (
            generator.normal(size=int(n)) * scale for n, scale in zip(generator.integers(2, 50, 2), (1, 3), strict=True)
        )
        told = CompareMeans.from_data(b, a)
        low, high = told.tconfint_diff(usevar="unequal")

        known = unpaired_mean(
            Measured(value=float(np.mean(a)), stderr=float(stats.sem(a)), n=len(a)),
            Measured(value=float(np.mean(b)), stderr=float(stats.sem(b)), n=len(b)),
        )
        interval = t_interval(known.difference, known.stderr, known.degrees, level=0.95)
        assert known.degrees == pytest.approx(told.dof_satt(), **CLOSE), f"seed {seed}"
        assert known.stderr == pytest.approx(told.std_meandiff_separatevar, **CLOSE), f"seed {seed}"
        assert (interval.low, interval.high) == pytest.approx((low, high), **CLOSE), f"seed {seed}"

    unsized = unpaired_mean(Measured(value=1.0, stderr=0.3, n=5), Measured(value=2.0, stderr=0.4))
    assert unsized == Estimate(a=1.0, b=2.0, difference=1.0, stderr=pytest.approx(0.5), degrees=math.inf)
    assert t_test(1.0, 0.5, math.inf) == pytest.approx(2 * stats.norm.sf(2.0), **CLOSE)


@pytest.mark.parametrize(
    "known", [Measured(value=1.0, stderr=0.0, n=9), Measured(value=1.0), Measured(value=1.0, stderr=0.1, n=1)]
)
def test_a_side_without_spread_leaves_the_difference_without_one(known):
    assert unpaired_mean(known, Measured(value=0.5, stderr=0.1, n=9)).stderr is None
    assert unpaired_mean(Measured(value=0.5, stderr=0.1, n=9), known).stderr is None


def test_an_aggregate_of_tasks_adds_weighted_variances():
    generator = np.random.default_rng(3)
    parts = [paired_mean(pair(generator.random(n), generator.random(n))) for n in (9, 30)]
    whole = weighted_mean([0.25, 0.75], parts)
    variances = [(0.25 * parts[0].stderr) ** 2, (0.75 * parts[1].stderr) ** 2]

    assert whole.difference == pytest.approx(0.25 * parts[0].difference + 0.75 * parts[1].difference, **CLOSE)
    assert whole.stderr == pytest.approx(math.sqrt(sum(variances)), **CLOSE)
    assert whole.degrees == pytest.approx(
        sum(variances) ** 2 / (variances[0] ** 2 / 8 + variances[1] ** 2 / 29), **CLOSE
    )


def test_two_weighted_samples_make_the_aggregate_of_welch():
    generator = np.random.default_rng(4)
    first, second = generator.normal(size=12), 2 * generator.normal(size=7)
    parts = [paired_mean(pair(np.zeros(len(x)), x)) for x in (first, second)]
    whole = weighted_mean([-1.0, 1.0], parts)

    assert whole.degrees == pytest.approx(CompareMeans.from_data(second, first).dof_satt(), **CLOSE)


def test_a_task_in_which_nothing_changed_counts_as_if_one_sample_had():
    generator = np.random.default_rng(5)
    moved = paired_mean(pair(generator.random(50), generator.random(50)))
    still = paired_mean(pair(np.ones(20), np.ones(20)))
    whole = weighted_mean([0.5, 0.5], [moved, still])

    assert still.stderr is None
    assert whole.stderr == pytest.approx(0.5 * math.hypot(moved.stderr, 1 / 20), **CLOSE)
    assert whole.degrees < moved.degrees
    assert weighted_mean([0.5, 0.5], [still, still]).stderr is None


@pytest.mark.parametrize(("a", "b", "labels"), [([], [], None), ([1.0], [1.0, 2.0], None), ([1.0], [1.0], [1, 2])])
def test_scores_that_do_not_pair_are_refused(a, b, labels):
    with pytest.raises(ValueError, match="do not pair"):
        pair(np.array(a), np.array(b), None if labels is None else np.array(labels))


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="2 weights for 0 parts"):
        weighted_mean([1.0, 2.0], [])


def test_the_level_of_a_test_has_no_trail_of_rounding():
    assert [alpha_of(0.95), alpha_of(0.9), alpha_of(0.99)] == [0.05, 0.1, 0.01]
