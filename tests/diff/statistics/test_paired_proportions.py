"""Paired proportions against likelihoods maximised and outcomes enumerated by other means."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from reprokit.diff.statistics.proportions import MOST_COUNTED, above, below, rarer, score, score_interval


@st.composite
def counts(draw):
    n = draw(st.integers(1, 60))
    won = draw(st.integers(0, n))
    return won, draw(st.integers(0, n - won)), n


def outcomes(n: int) -> list[tuple[int, int]]:
    return [(won, lost) for won, lost in itertools.product(range(n + 1), repeat=2) if won + lost <= n]


@settings(deadline=None)
@given(counts(), st.floats(0.01, 0.98))
def test_the_supposed_chances_are_those_of_greatest_likelihood(seen, difference):
    won, lost, n = seen

    def against(chance: float) -> float:
        return -float(
            stats.multinomial.logpmf(
                [won, lost, n - won - lost], n, [chance + difference, chance, max(0.0, 1 - difference - 2 * chance)]
            )
        )

    most = (1.0 - difference) / 2.0
    found = optimize.minimize_scalar(against, bounds=(0.0, most), method="bounded", options={"xatol": 1e-12})
    estimate = rarer(won, lost, n, difference=difference)

    assert 0.0 <= estimate <= most
    assert against(estimate) <= found.fun + 1e-9 * abs(found.fun)


@pytest.mark.parametrize(
    ("won", "lost", "n", "low", "high"),
    # Bentur 2009 and Cavo 2012 in Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014) 2850-2875.
    [(1, 7, 21, -0.517, -0.026), (6, 16, 161, -0.124, -0.005)],
)
def test_the_statistic_gives_the_published_intervals_of_tango(won, lost, n, low, high):
    z = stats.norm.ppf(0.975)
    ends = [optimize.brentq(lambda d, z=z: score(won, lost, n, difference=d) - z, -0.9999, 0.9999) for z in (z, -z)]

    assert ends == pytest.approx([low, high], abs=5.1e-4)


@settings(deadline=None)
@given(counts(), st.floats(-0.98, 0.98))
def test_the_p_value_is_the_sum_over_all_outcomes(seen, difference):
    won, lost, n = seen
    less, more = (won, lost) if difference >= 0 else (lost, won)
    chance = rarer(less, more, n, difference=abs(difference))
    sides = [chance + abs(difference), chance] if difference >= 0 else [chance, chance + abs(difference)]
    table = np.array(outcomes(n))
    counted = table[table[:, 0] - table[:, 1] <= won - lost]
    rest = n - counted.sum(axis=1, keepdims=True)
    chances = stats.multinomial.pmf(np.hstack([counted, rest]), n, [*sides, max(0.0, 1 - sum(sides))])

    assert below(won, lost, n, difference=difference) == pytest.approx(min(1.0, chances.sum()), abs=1e-9)


@settings(deadline=None)
@given(counts(), st.floats(0.5, 0.999))
def test_the_interval_holds_what_is_not_rejected_and_mirrors(seen, level):
    won, lost, n = seen
    interval = score_interval(won, lost, n, level=level)
    mirrored = score_interval(lost, won, n, level=level)
    tail = (1 - level) / 2

    assert (interval.low, interval.high) == (-mirrored.high, -mirrored.low)
    assert -1.0 <= interval.low <= (won - lost) / n <= interval.high <= 1.0
    assert won == n or below(won, lost, n, difference=interval.high) == pytest.approx(tail, rel=1e-9)
    assert lost == n or above(won, lost, n, difference=interval.low) == pytest.approx(tail, rel=1e-9)


@settings(deadline=None)
@given(counts())
def test_p_falls_as_the_supposed_difference_rises(seen):
    values = [below(*seen, difference=each) for each in np.linspace(-1.0, 1.0, 101)]

    assert all(after <= before + 1e-12 for before, after in itertools.pairwise(values))


@pytest.mark.parametrize("n", [1, 2, 10, 100, 1000])
def test_when_no_sample_turned_the_interval_is_the_exact_one_of_a_binomial_zero(n):
    interval = score_interval(0, 0, n, level=0.95)

    assert interval.high == pytest.approx(stats.binomtest(0, n).proportion_ci(0.95).high, rel=1e-9)
    assert interval.low == -interval.high


@pytest.mark.parametrize("won", [9_000, 9_600, 10_500])
def test_counted_and_normal_tails_meet_where_one_takes_over(won):
    lost = MOST_COUNTED - won
    n = 1_000_000
    counted, normal = score_interval(won, lost, n, level=0.9), score_interval(won + 1, lost, n, level=0.9)

    assert counted.high == pytest.approx(normal.high, abs=0.01 * (counted.high - counted.low))
    assert counted.low == pytest.approx(normal.low, abs=0.01 * (counted.high - counted.low))


@pytest.mark.parametrize("n", [1, 3, 10, 20, 50])
@pytest.mark.parametrize("margin", [0.02, 0.05, 0.1, 0.2, 0.5, 0.9])
def test_by_enumeration_neither_one_sided_test_exceeds_its_level(n, margin):
    table = np.array(outcomes(n))
    values = np.array([below(int(won), int(lost), n, difference=margin) for won, lost in table])
    with_rest = np.hstack([table, n - table.sum(axis=1, keepdims=True)])

    for chance in np.linspace(0.0, (1 - margin) / 2, 12):
        chances = stats.multinomial.pmf(with_rest, n, [chance + margin, chance, max(0.0, 1 - margin - 2 * chance)])
        for level in (0.05, 0.025):
            assert chances[values < level].sum() <= level
