"""Exact and resampled test of paired differences: when there is no difference, each sign is as likely as the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from reprokit.diff.statistics.mcnemar import exact_mcnemar
from reprokit.diff.statistics.summing import ROUNDING, Numbers, exact_sum

MOST_EXACT = 40
DRAWS = 99_999
_SEED = 20_241_100_640
_AT_A_TIME = 65_536
_PICKS = np.unpackbits(np.arange(256, dtype=np.uint8)[None, :], axis=0).astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class SignFlip:
    """What the test says.

    Attributes:
        p: two-sided
        units: differences that are not zero; the others do not change when their sign does
        resamples: random draws; None when all assignments of signs were counted
    """

    p: float
    units: int
    resamples: int | None = None


def sign_flip(differences: Numbers, *, resamples: int = DRAWS, seed: int = _SEED) -> SignFlip:
    """Two-sided p of no difference, by how rarely random signs give a sum as far from zero.

    Fisher, The design of experiments (1935), section 21. Up to 40 differences that are not zero, or any number of one
    size or one sign, all assignments of signs are counted. Beyond, p is (1 + k) / (1 + draws), which is never too
    small: Phipson and Smyth, Permutation p-values should never be zero, Statistical Applications in Genetics and
    Molecular Biology 9 (2010) 39. Sums that differ by rounding only count as equal, hence as that far.

    Only sizes and the sum are used, and sizes are sorted: neither the order nor the sign of all differences matters.

    Args:
        differences: of samples, or sums of differences of independent clusters
        resamples: random draws
        seed: of the draws; the same seed, the same p
    """
    sizes = np.sort(np.abs(differences[differences != 0.0]))
    units = len(sizes)
    if not units:
        return SignFlip(p=1.0, units=0)
    if sizes[-1] - sizes[0] <= ROUNDING * sizes[-1]:
        won = int(np.count_nonzero(differences > 0.0))
        return SignFlip(p=exact_mcnemar(won, units - won), units=units)
    whole, observed = exact_sum(sizes), abs(exact_sum(differences))
    far = observed - ROUNDING * whole
    if far <= 0.0:
        return SignFlip(p=1.0, units=units)
    if observed == whole:
        return SignFlip(p=2.0 ** (1 - units), units=units)
    if units <= MOST_EXACT:
        return SignFlip(p=_counted(sizes, far), units=units)
    # A sum is the whole less twice what has a minus.
    beyond = sum(
        int(np.count_nonzero(np.abs(whole - 2.0 * turned) >= far)) for turned in _drawn(sizes, resamples, seed)
    )
    return SignFlip(p=(1 + beyond) / (1 + resamples), units=units, resamples=resamples)


def _counted(sizes: Numbers, far: float) -> float:
    """Share of all 2^m assignments of signs whose sum is at least that far on one side, doubled.

    Every sum is one of the first half of the sizes plus one of the second: two lists of 2^(m/2) sums are enough.
    """
    left, right = np.sort(_all_sums(sizes[::2])), np.sort(_all_sums(sizes[1::2]))
    short = np.searchsorted(right, far - left, side="left")
    return min(1.0, 2.0 * (len(right) * len(left) - int(np.sum(short))) / 2.0 ** len(sizes))


def _all_sums(sizes: Numbers) -> Numbers:
    sums = np.zeros(1)
    for size in sizes:
        sums = np.concatenate([sums - size, sums + size])
    return sums


def _drawn(sizes: Numbers, resamples: int, seed: int) -> Iterator[Numbers]:
    """Sums of a random half of the sizes, in pieces: 64 coins at a time, eight of them looked up together."""
    bits = np.random.PCG64(seed)
    # One row for each eight sizes: the sum of those that each of the 256 values of a byte picks.
    tables = np.pad(sizes, (0, -len(sizes) % 8)).reshape(-1, 8) @ _PICKS
    for start in range(0, resamples, _AT_A_TIME):
        count = min(_AT_A_TIME, resamples - start)
        turned = np.zeros(count)
        for first in range(0, len(tables), 8):
            coins = bits.random_raw(count).astype("<u8").view(np.uint8).reshape(count, 8)
            for column, table in enumerate(tables[first : first + 8]):
                turned += table[coins[:, column]]
        yield turned
