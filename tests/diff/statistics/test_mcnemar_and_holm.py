"""Exact McNemar and Holm against scipy and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from reprokit.diff.statistics.holm import holm
from reprokit.diff.statistics.mcnemar import exact_mcnemar

PROBABILITY = st.floats(0.0, 1.0)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_exact_mcnemar_is_that_of_statsmodels(won, lost):
    expected = 1.0 if won == lost else mcnemar([[5, won], [lost, 7]], exact=True).pvalue

    assert exact_mcnemar(won, lost) == pytest.approx(expected, rel=1e-9)
    assert exact_mcnemar(won, lost) == exact_mcnemar(lost, won)


@pytest.mark.parametrize(
    ("won", "lost"), [(500_000, 501_000), (1_000_000, 999_000), (700, 300), (10**6, 10**6), (30, 0)]
)
def test_exact_mcnemar_of_many_is_that_of_scipy(won, lost):
    assert exact_mcnemar(won, lost) == pytest.approx(stats.binomtest(won, won + lost).pvalue, rel=1e-9)


@pytest.mark.parametrize("count", [1, 2, 5, 30, 300])
def test_holm_is_that_of_statsmodels(count):
    values = np.random.default_rng(count).beta(0.3, 3.0, count).round(3).tolist()

    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1].tolist(), rel=1e-12)


@settings(deadline=None)
@given(st.lists(st.none() | PROBABILITY, max_size=20))
def test_a_test_that_was_not_made_does_not_count(values):
    adjusted = holm(values)
    made = [p for p in values if p is not None]

    assert [p is None for p in adjusted] == [p is None for p in values]
    assert [p for p in adjusted if p is not None] == holm(made)


@settings(deadline=None)
@given(st.permutations(range(8)))
def test_holm_does_not_depend_on_the_order(order):
    values = np.random.default_rng(1).random(8) / 20

    assert [holm(values[order].tolist())[order.index(place)] for place in range(8)] == holm(values.tolist())
