"""The sign-flip test against counting by hand and scipy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reprokit.diff.statistics import choosing
from reprokit.diff.statistics.mcnemar import exact_mcnemar
from reprokit.diff.statistics.means import paired_mean
from reprokit.diff.statistics.pairs import pair
from reprokit.diff.statistics.permutation import MOST_EXACT, sign_flip

TENTHS = st.lists(st.integers(-10, 10), min_size=1, max_size=9)


def counted(differences: list[int]) -> float:
    """By the definition, in whole numbers."""
    observed = abs(sum(differences))
    sums = [
        sum(s * d for s, d in zip(signs, differences, strict=True))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    return sum(abs(each) >= observed for each in sums) / len(sums)


@settings(deadline=None)
@given(TENTHS)
def test_sums_that_are_equal_but_for_rounding_count_as_equal(tenths):
    expected = counted(tenths)

    assert sign_flip(np.array(tenths) * 0.1).p == pytest.approx(expected, rel=1e-12)


def test_the_exact_test_is_that_of_scipy():
    for seed in range(20):
        differences = np.random.default_rng(seed).normal(0.3, 1.0, 3 + seed % 10)
        told = stats.permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=math.inf)

        assert sign_flip(differences).p == pytest.approx(told.pvalue, rel=1e-9), f"seed {seed}"


@pytest.mark.parametrize(("seed", "units"), [(1, 60), (2, 200), (3, 1000)])
def test_drawn_signs_agree_with_the_exact_test_within_their_error(seed, units):
    sizes = np.random.default_rng(seed).integers(1, 9, units)
    differences = sizes * np.where(np.random.default_rng(seed + 9).random(units) < 0.55, 1.0, -1.0)
    drawn = sign_flip(differences)
    exact = by_convolution(sizes, int(abs(differences.sum())))

    assert drawn.resamples == 99_999
    assert drawn.p == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / drawn.resamples))


def by_convolution(sizes: np.ndarray, far: int) -> float:
    """P(|sum of random signs times whole sizes| >= far)."""
    chances = np.ones(1)
    for size in sizes:
        chances = (np.pad(chances, (2 * size, 0)) + np.pad(chances, (0, 2 * size))) / 2
    at = np.arange(len(chances)) - int(sizes.sum())
    return float(chances[np.abs(at) >= far].sum())


def test_the_largest_exact_test_agrees_with_the_convolution():
    sizes = np.random.default_rng(6).integers(1, 50, MOST_EXACT)
    differences = sizes * np.where(np.arange(MOST_EXACT) % 3, 1.0, -1.0)
    flip = sign_flip(differences)

    assert (flip.units, flip.resamples) == (MOST_EXACT, None)
    assert flip.p == pytest.approx(by_convolution(sizes, int(abs(differences.sum()))), rel=1e-9)


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(0, 300), st.sampled_from([1.0, 0.1, 100.0]))
def test_differences_of_one_size_are_the_exact_mcnemar_test(won, lost, size):
    flip = sign_flip(np.array([size] * won + [-size] * lost))

    assert flip.p == exact_mcnemar(won, lost)
    assert flip.resamples is None


def test_differences_of_one_sign_are_counted_however_many():
    assert sign_flip(np.arange(1.0, 101.0)).p == 2.0**-99


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=80), st.randoms(use_true_random=False))
def test_order_and_sign_do_not_matter(values, shuffler):
    shuffled = list(values)
    shuffler.shuffle(shuffled)
    flip = sign_flip(np.array(values), resamples=999)

    assert flip == sign_flip(-np.array(values), resamples=999)
    assert flip == sign_flip(np.array(shuffled), resamples=999)


def test_unchanged_samples_do_not_matter():
    assert sign_flip(np.array([0.0, 0.5, 0.0, 0.2])) == sign_flip(np.array([0.5, 0.2]))
    assert sign_flip(np.zeros(9)).p == 1.0


def test_a_drawn_p_is_never_zero():
    differences = np.concatenate([np.linspace(1, 2, 300), [-0.001]])

    assert sign_flip(differences, resamples=99).p == 1 / 100


@pytest.mark.parametrize(
    ("binary", "clustered", "units", "spread", "kind"),
    [
        (True, False, 10**6, True, "McNemar"),
        (True, True, 12, True, "sign-flip"),
        (False, False, 1_000, True, "sign-flip"),
        (False, False, 1_001, True, "t"),
        (False, True, 1_001, True, "t"),
        (False, False, 1_001, False, "sign-flip"),
    ],
)
def test_the_test_is_chosen_by_rule(binary, clustered, units, spread, kind):
    assert choosing.choose(binary=binary, clustered=clustered, units=units, spread=spread) == kind


@pytest.mark.parametrize(
    ("n", "binary", "every", "name"),
    [
        (30, True, 1, "exact McNemar"),
        (30, False, 1, "sign-flip permutation, exact"),
        (300, False, 1, "sign-flip permutation, 99,999 draws"),
        (3000, False, 1, "paired t"),
        (30, True, 3, "sign-flip permutation of clusters, exact"),
        (300, False, 3, "sign-flip permutation of clusters, 99,999 draws"),
        (6000, False, 3, "cluster-robust t"),
    ],
)
def test_the_test_says_its_name(n, binary, every, name):
    generator = np.random.default_rng(n)
    a, b = generator.random((2, n))
    if binary:
        a, b = np.round(a), np.round(b)
    pairs = pair(a, b, np.arange(n) // every)

    assert choosing.tested(pairs, paired_mean(pairs)).test == name
