"""Error rates by simulation: nominal within three standard deviations of the simulation itself.

Exact tests of few outcomes may stay below their level; nothing may exceed it.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from reprokit.diff.statistics.equivalence import equivalent_by_t, equivalent_proportions
from reprokit.diff.statistics.mcnemar import exact_mcnemar
from reprokit.diff.statistics.means import PairedMean, paired_mean
from reprokit.diff.statistics.pairs import pair
from reprokit.diff.statistics.permutation import sign_flip
from reprokit.diff.statistics.proportions import score_interval
from reprokit.diff.statistics.student import t_interval, t_test

DRAWS = 10_000
LEVEL = 0.05
THREE_SIGMA = 3 * math.sqrt(LEVEL * (1 - LEVEL) / DRAWS)
UNEQUAL = np.repeat(np.arange(30), [1] * 15 + [4] * 10 + [10, 15, 20, 30, 50])


def means(n: int, *, seed: int, shift: float = 0.0) -> list[PairedMean]:
    generator = np.random.default_rng(seed)
    zero = np.zeros(n)
    return [paired_mean(pair(zero, change)) for change in generator.normal(shift, 1.0, (DRAWS, n))]


@pytest.mark.parametrize("n", [2, 20, 100])
def test_paired_t_rejects_and_covers_as_often_as_it_says(n):
    drawn = means(n, seed=n)
    rejected = np.mean([t_test(each.difference, each.stderr, each.degrees) < LEVEL for each in drawn])
    intervals = [t_interval(each.difference, each.stderr, each.degrees, level=1 - LEVEL) for each in drawn]
    covered = np.mean([each.low <= 0.0 <= each.high for each in intervals])

    assert rejected == pytest.approx(LEVEL, abs=THREE_SIGMA)
    assert covered == pytest.approx(1 - LEVEL, abs=THREE_SIGMA)


def test_equivalence_by_t_is_claimed_at_the_margin_as_often_as_it_says():
    n, margin = 50, 0.8
    claimed = np.mean(
        [
            equivalent_by_t(each.difference, each.stderr, each.degrees, margin=margin, level=1 - LEVEL).equivalent
            for each in means(n, seed=n, shift=margin)
        ]
    )

    assert claimed == pytest.approx(LEVEL, abs=THREE_SIGMA)


@pytest.mark.parametrize(
    ("labels", "correlation"),
    [(np.repeat(np.arange(10), 4), 0.6), (UNEQUAL, 0.1)],
    ids=["10 equal", "30 unequal"],
)
def test_cluster_robust_t_does_not_reject_more_often_than_it_says(labels, correlation):
    generator = np.random.default_rng(7)
    count, n = int(labels[-1]) + 1, len(labels)
    zero = np.zeros(n)
    rejected = 0
    for _ in range(DRAWS):
        shared = math.sqrt(correlation) * generator.normal(size=count)
        mean = paired_mean(pair(zero, shared[labels] + math.sqrt(1 - correlation) * generator.normal(size=n), labels))
        rejected += t_test(mean.difference, mean.stderr, mean.degrees) < LEVEL

    assert rejected / DRAWS <= LEVEL + THREE_SIGMA


def test_the_exact_sign_flip_test_does_not_reject_more_often_than_it_says():
    units = 12
    generator = np.random.default_rng(units)
    rejected = np.mean([sign_flip(each).p <= LEVEL for each in generator.laplace(size=(DRAWS, units))])

    assert rejected <= LEVEL + THREE_SIGMA


def test_drawn_sign_flips_reject_as_often_as_they_say():
    generator = np.random.default_rng(8)
    rejected = np.mean([sign_flip(each, resamples=199).p <= LEVEL for each in generator.laplace(size=(DRAWS, 50))])

    assert rejected == pytest.approx(LEVEL, abs=THREE_SIGMA)


@pytest.mark.parametrize(("n", "turning"), [(20, 0.3), (50, 0.1), (100, 0.02), (1000, 0.05)])
def test_exact_mcnemar_does_not_reject_more_often_than_it_says(n, turning):
    drawn = np.random.default_rng(n).multinomial(n, [turning / 2, turning / 2, 1 - turning], DRAWS)
    rejected = np.mean([exact_mcnemar(int(won), int(lost)) <= LEVEL for won, lost, _ in drawn])

    assert rejected <= LEVEL + THREE_SIGMA


@pytest.mark.parametrize(
    ("n", "won", "lost"), [(1, 0.3, 0.1), (20, 0.1, 0.1), (50, 0.06, 0.01), (100, 0.02, 0.0), (1000, 0.005, 0.002)]
)
def test_the_interval_of_proportions_covers_at_least_as_often_as_it_says(n, won, lost):
    told = cache(lambda up, down: score_interval(up, down, n, level=1 - LEVEL))
    drawn = np.random.default_rng(n).multinomial(n, [won, lost, 1 - won - lost], DRAWS)
    intervals = [told(int(up), int(down)) for up, down, _ in drawn]

    assert np.mean([each.low <= won - lost <= each.high for each in intervals]) >= 1 - LEVEL - THREE_SIGMA


@pytest.mark.parametrize(
    ("n", "margin", "lost"), [(20, 0.2, 0.0), (50, 0.1, 0.01), (100, 0.1, 0.0), (300, 0.01, 0.0), (1000, 0.01, 0.005)]
)
def test_equivalent_proportions_are_claimed_at_the_margin_no_more_often_than_it_says(n, margin, lost):
    told = cache(lambda up, down: equivalent_proportions(up, down, n, margin=margin, level=1 - LEVEL).equivalent)
    drawn = np.random.default_rng(n).multinomial(n, [lost + margin, lost, 1 - margin - 2 * lost], DRAWS)

    assert np.mean([told(int(up), int(down)) for up, down, _ in drawn]) <= LEVEL + THREE_SIGMA
