"""Scores of the same samples under two runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from reprokit.diff.statistics.summing import ROUNDING, Numbers

Labels = npt.NDArray[np.int64] | npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """Groups of samples that may depend on each other.

    Attributes:
        sums: of the differences of each cluster
        sizes: how many samples each has
    """

    sums: Numbers
    sizes: Numbers


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Scores of n samples under two runs.

    Attributes:
        a: under the first
        b: under the second
        change: b minus a, pair by pair; what is only rounding is zero
        clusters: None when each sample is its own
        binary: whether all scores are 0 or 1
    """

    a: Numbers
    b: Numbers
    change: Numbers
    clusters: Clusters | None
    binary: bool

    @property
    def units(self) -> Numbers:
        """Differences of what is independent: of samples, or the sums of clusters."""
        return self.change if self.clusters is None else self.clusters.sums

    @property
    def turned(self) -> tuple[int, int]:
        """How many samples b scores higher, and how many a does."""
        return int(np.count_nonzero(self.change > 0.0)), int(np.count_nonzero(self.change < 0.0))


def pair(a: Numbers, b: Numbers, clusters: Labels | None = None) -> Pairs:
    """Hold the scores of the same samples against each other.

    Args:
        a: scores of n samples, finite
        b: scores of the same samples in the same order
        clusters: n integer labels; equal labels, same cluster. Clusters of one sample each are no clusters.

    Raises:
        ValueError: there is no sample, or lengths differ
    """
    if a.shape != b.shape or a.ndim != 1 or not len(a) or (clusters is not None and clusters.shape != a.shape):
        raise ValueError(f"scores do not pair: {a.shape} and {b.shape}")
    change = b - a
    change[np.abs(change) <= ROUNDING * np.maximum(np.abs(a), np.abs(b))] = 0.0
    binary = all(bool(np.all((scores == 0.0) | (scores == 1.0))) for scores in (a, b))
    groups = None if clusters is None else cluster_sums(change, clusters)
    if groups is not None and len(groups.sums) == len(change):
        groups = None
    return Pairs(a=a, b=b, change=change, clusters=groups, binary=binary)


def cluster_sums(numbers: Numbers, labels: Labels) -> Clusters:
    """Sum the numbers of each cluster; a sum that is only rounding is zero.

    Args:
        numbers: n numbers
        labels: n labels; equal labels, same cluster
    """
    _, cluster = np.unique(labels, return_inverse=True)
    sizes = np.bincount(cluster)
    # Gains and losses are summed apart, each from the smallest on: so turning every sign swaps two sums and no more.
    changed = np.flatnonzero(numbers)
    order = changed[np.argsort(np.abs(numbers[changed]))]
    cluster, ordered = cluster[order], numbers[order]
    gains = np.bincount(cluster, weights=np.maximum(ordered, 0.0), minlength=len(sizes))
    losses = np.bincount(cluster, weights=np.maximum(-ordered, 0.0), minlength=len(sizes))
    sums = np.asarray(gains - losses, dtype=np.float64)
    sums[np.abs(sums) <= ROUNDING * (gains + losses)] = 0.0
    return Clusters(sums=sums, sizes=sizes.astype(np.float64))
