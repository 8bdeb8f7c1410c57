"""Equivalence and detectable differences against statsmodels."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from reprokit.diff.statistics.equivalence import equivalent_by_t, equivalent_proportions
from reprokit.diff.statistics.means import paired_mean
from reprokit.diff.statistics.pairs import pair
from reprokit.diff.statistics.power import detectable

LEVELS = st.sampled_from([0.9, 0.95, 0.99])


def test_equivalence_by_t_is_that_of_statsmodels():
    for seed in range(40):
        generator = np.random.default_rng(seed)
        a = generator.normal(size=5 + seed)
        b = a + generator.normal(0.1, 0.5, len(a))
        mean = paired_mean(pair(a, b))
        said = equivalent_by_t(mean.difference, mean.stderr, mean.degrees, margin=0.3, level=0.95)

        assert said.p == pytest.approx(ttost_paired(b, a, -0.3, 0.3)[0], rel=1e-9), f"seed {seed}"


@settings(deadline=None)
@given(st.floats(-1, 1), st.floats(0.01, 1), st.floats(1, 1e6) | st.just(math.inf), st.floats(0.01, 2), LEVELS)
def test_equivalent_means_a_small_p_and_an_interval_within_the_margin(difference, stderr, degrees, margin, level):
    said = equivalent_by_t(difference, stderr, degrees, margin=margin, level=level)
    assume(abs(said.p - (1 - level)) > 1e-9)

    assert said.equivalent == (said.p < 1 - level) == (-margin < said.interval.low and said.interval.high < margin)
    assert said.interval.level == pytest.approx(2 * level - 1)
    mirrored = equivalent_by_t(-difference, stderr, degrees, margin=margin, level=level)
    assert (said.p, said.equivalent) == (mirrored.p, mirrored.equivalent)


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 400), st.floats(0.005, 1.5), LEVELS)
def test_the_same_holds_for_proportions(won, lost, same, margin, level):
    assume(won + lost + same)
    said = equivalent_proportions(won, lost, won + lost + same, margin=margin, level=level)
    assume(abs(said.p - (1 - level)) > 1e-9)

    assert said.equivalent == (said.p < 1 - level) == (-margin < said.interval.low and said.interval.high < margin)
    mirrored = equivalent_proportions(lost, won, won + lost + same, margin=margin, level=level)
    assert (said.p, said.equivalent) == (mirrored.p, mirrored.equivalent)


def test_no_change_in_few_samples_is_not_equivalence():
    assert not equivalent_proportions(0, 0, 299 - 1, margin=0.01, level=0.95).equivalent
    assert equivalent_proportions(0, 0, 300, margin=0.01, level=0.95).equivalent


@pytest.mark.parametrize("n", [3, 5, 20, 100, 1000, 10_000])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_the_detectable_difference_has_the_asked_power_by_statsmodels(n, power):
    found = detectable(1.0, n - 1.0, level=0.95, power=power)

    assert TTestPower().power(found / math.sqrt(n), n, 0.05) == pytest.approx(power, abs=1e-9)


def test_the_detectable_difference_of_the_normal_is_the_textbook_one():
    assert detectable(0.5, math.inf, level=0.95, power=0.8) == pytest.approx(0.5 * 2.8015845, abs=1e-5)


@pytest.mark.parametrize("degrees", [1.0, 1.7, 99_999.0, 100_001.0, 1e7])
def test_the_detectable_difference_is_right_for_few_and_for_very_many_degrees(degrees):
    shift = detectable(1.0, degrees, level=0.95, power=0.8)
    bound = stats.t.isf(0.025, degrees)
    spread = stats.chi(degrees, scale=1 / math.sqrt(degrees))
    places = spread.ppf([0.0, 1e-12, 1e-6, 0.01, 0.1, 0.5, 0.9, 0.99, 1 - 1e-6, 1 - 1e-12])

    def missed(scale: np.ndarray) -> np.ndarray:
        return (stats.norm.cdf(scale * bound - shift) - stats.norm.cdf(-scale * bound - shift)) * spread.pdf(scale)

    pieces = [integrate.fixed_quad(missed, low, high, n=60)[0] for low, high in itertools.pairwise(places)]
    assert sum(pieces) == pytest.approx(0.2, abs=1e-8)


def test_a_detectable_difference_far_beyond_its_error_is_right():
    shift = detectable(1.0, 1.0, level=0.999_999, power=0.8)

    assert shift == pytest.approx(stats.t.isf(5e-7, 1) * stats.norm.ppf(0.9), rel=1e-9)


def test_less_power_than_chance_needs_no_difference():
    assert detectable(1.0, 30.0, level=0.95, power=0.04) == 0.0
