"""Which test fits the scores, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reprokit.diff.statistics.mcnemar import exact_mcnemar
from reprokit.diff.statistics.means import PairedMean
from reprokit.diff.statistics.pairs import Pairs
from reprokit.diff.statistics.permutation import SignFlip, sign_flip
from reprokit.diff.statistics.student import t_test

Kind = Literal["McNemar", "sign-flip", "t"]
MOST_FLIPPED = 1_000


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A test and its result.

    Attributes:
        test: its name, for a person
        p: two-sided, of no difference
        resamples: random draws; None when there were none
    """

    test: str
    p: float
    resamples: int | None = None


def choose(*, binary: bool, clustered: bool, units: int, spread: bool) -> Kind:
    """Name the kind of test.

    Right or wrong on independent samples: exact McNemar. Anything else: signs are flipped, all ways of it or many at
    random, as long as few units changed, since it needs no normal distribution; beyond 1,000 units, where the mean of
    so many is normal, t.

    Args:
        binary: whether scores are only 0 and 1
        clustered: whether samples come in clusters
        units: samples (clusters) whose (summed) difference is not zero
        spread: whether there is a standard error for t
    """
    if binary and not clustered:
        return "McNemar"
    # Without spread all units changed one way, and their signs are counted however many they are.
    return "t" if units > MOST_FLIPPED and spread else "sign-flip"


def tested(pairs: Pairs, mean: PairedMean) -> Tested:
    """Choose the test and make it.

    Args:
        pairs: scores
        mean: of the same pairs, for t
    """
    clustered = pairs.clusters is not None
    match choose(binary=pairs.binary, clustered=clustered, units=mean.changed, spread=mean.stderr is not None):
        case "McNemar":
            return Tested(test="exact McNemar", p=exact_mcnemar(*pairs.turned))
        case "t" if mean.stderr is not None:
            name = "cluster-robust t" if clustered else "paired t"
            return Tested(test=name, p=t_test(mean.difference, mean.stderr, mean.degrees))
        case _:
            return _flipped(sign_flip(pairs.units), clustered=clustered)


def _flipped(flip: SignFlip, *, clustered: bool) -> Tested:
    how = "exact" if flip.resamples is None else f"{flip.resamples:,} draws"
    test = f"sign-flip permutation{' of clusters' if clustered else ''}, {how}"
    return Tested(test=test, p=flip.p, resamples=flip.resamples)
