"""All that is said of one metric."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprokit.diff.statistics.inference import Inferred, conclude, infer
from reprokit.diff.statistics.means import Measured, paired_mean, unpaired_mean
from reprokit.diff.statistics.pairs import pair

KINDS = ("binary", "tenths", "any", "constant", "sparse")


def scores(kind: str, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    a, b = generator.random((2, n))
    match kind:
        case "binary":
            return np.round(a), np.round(b)
        case "tenths":
            return np.round(a, 1), np.round(b, 1)
        case "constant":
            return a, a + 0.1
        case "sparse":
            return a, np.where(generator.random(n) < 0.1, b, a)
    return a, b


def mirrored(said: Inferred) -> tuple[object, ...]:
    """What the other side must say, to the last bit."""
    interval = None if said.interval is None else (-said.interval.high, -said.interval.low)
    within = said.equivalence and (
        -said.equivalence.interval.high,
        -said.equivalence.interval.low,
        said.equivalence.p,
        said.equivalence.equivalent,
    )
    return (
        -said.difference,
        said.b,
        said.a,
        said.stderr,
        said.degrees,
        interval,
        said.test,
        said.p,
        said.detectable,
        said.design_effect,
        within,
        said.note,
    )


def plain(said: Inferred) -> tuple[object, ...]:
    interval = None if said.interval is None else (said.interval.low, said.interval.high)
    within = said.equivalence and (
        said.equivalence.interval.low,
        said.equivalence.interval.high,
        said.equivalence.p,
        said.equivalence.equivalent,
    )
    return (
        said.difference,
        said.a,
        said.b,
        said.stderr,
        said.degrees,
        interval,
        said.test,
        said.p,
        said.detectable,
        said.design_effect,
        within,
        said.note,
    )


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(KINDS), st.integers(1, 60), st.integers(0, 10**6), st.booleans())
def test_swapping_the_sides_mirrors_every_bit_and_the_order_does_not_matter(kind, n, seed, clustered):
    a, b = scores(kind, n, seed)
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, max(1, n // 3), n).astype(np.uint64) if clustered else None
    order = generator.permutation(n)

    said = infer(a, b, labels, margin=0.05)

    assert plain(infer(b, a, labels, margin=0.05)) == mirrored(said)
    assert infer(a[order], b[order], None if labels is None else labels[order], margin=0.05) == said


@settings(deadline=None)
@given(st.sampled_from(KINDS), st.integers(1, 150), st.integers(0, 10**6))
def test_a_run_does_not_differ_from_itself(kind, n, seed):
    a, _ = scores(kind, n, seed)

    said = infer(a, a, margin=0.05)

    assert (said.difference, said.p, said.stderr, said.detectable) == (0.0, 1.0, None, None)
    assert said.equivalence is None or set(a) <= {0.0, 1.0}


def test_binary_scores_have_an_exact_interval_even_when_none_changed():
    ones = np.ones(1000)
    said = infer(ones, ones, margin=0.01)

    assert (said.test, said.interval_by) == ("exact McNemar", "score interval, exact tails")
    assert said.equivalence is not None
    assert said.equivalence.equivalent
    assert said.note == "no sample changed: no spread to estimate"


@pytest.mark.parametrize(
    ("a", "b", "labels", "note"),
    [
        ([0.5], [0.7], None, "one sample: no spread to estimate"),
        ([0.5, 0.2], [0.5, 0.2], None, "no sample changed: no spread to estimate"),
        ([0.5, 0.2], [0.5, 0.3], None, "one sample changed: no spread to estimate"),
        ([0.5, 0.2], [0.6, 0.3], None, "every sample changed by the same amount: no spread to estimate"),
        (
            [0.5, 0.2, 0.1, 0.4],
            [0.6, 0.1, 0.1, 0.4],
            [1, 1, 2, 2],
            "no cluster changed on balance: no spread to estimate",
        ),
        ([0.5, 0.2], [0.5, 0.3], [1, 1], "one cluster: no spread to estimate"),
        (
            [0.5, 0.2, 0.1],
            [0.6, 0.3, 0.2],
            [1, 1, 2],
            "every cluster changed by the same amount: no spread to estimate",
        ),
    ],
)
def test_what_cannot_be_estimated_is_missing_and_the_note_says_why(a, b, labels, note):
    said = infer(np.array(a), np.array(b), None if labels is None else np.array(labels), margin=0.05)

    assert (said.stderr, said.interval, said.detectable, said.equivalence, said.note) == (None, None, None, None, note)
    assert said.p is not None
    assert said.p >= 0.5


def test_clusters_widen_what_depends_on_each_other():
    generator = np.random.default_rng(1)
    labels = np.repeat(np.arange(40), 10)
    b = np.repeat(generator.random(40), 10) + 0.1 * generator.random(400)
    said = infer(np.full(400, 0.5), b, labels)

    assert (said.clusters, said.interval_by) == (40, "t, cluster-robust")
    assert said.design_effect > 5


def test_a_difference_known_by_its_error_is_concluded_from_by_t():
    estimate = unpaired_mean(Measured(value=0.5, stderr=0.01, n=2500), Measured(value=0.53, stderr=0.01, n=2500))
    said = conclude(estimate, test="Welch's t", interval_by="t, Welch", margin=0.1)

    assert (said.test, said.interval_by, said.n) == ("Welch's t", "t, Welch", None)
    assert said.p == pytest.approx(0.0339, abs=1e-4)
    assert said.equivalence is not None
    assert said.equivalence.equivalent


def test_nothing_is_concluded_without_an_error():
    said = conclude(paired_mean(pair(np.ones(1), np.ones(1))), test="t", interval_by="t", margin=0.1)

    assert (said.test, said.p, said.interval, said.equivalence) == (None, None, None, None)
    assert said.note == "no standard error is known"


@pytest.mark.parametrize("kind", KINDS)
def test_a_million_samples_are_compared(kind):
    a, b = scores(kind, 1_000_000, 1)
    said = infer(a, b, np.arange(1_000_000) // 3, margin=0.01)

    assert said.clusters == 333_334
    assert said.difference == pytest.approx(float(np.mean(b - a)), abs=1e-12)
