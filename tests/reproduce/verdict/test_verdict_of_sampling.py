"""A seeded run that samples its answers, and the same run with another seed: the statistics decide."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reprokit.diff.compare import compare
from reprokit.diff.difference import Asked
from reprokit.reproduce.verdict.ladder import agreement, at_least_equivalent
from reprokit.reproduce.verdict.repeats import repeated

QUESTIONS = 300


def evaluate(make, *, seed, temperature=0.7, questions=QUESTIONS, lost=0.0):
    """Answer multiple-choice questions by sampling from a toy model's logits.

    The model has the right answer first, by a lead of `2 - lost` on the average question.
    """
    lead = np.random.default_rng(2026).normal(2.0 - lost, 2.0, questions)
    sampled = np.random.default_rng(seed).random(questions)
    rows = []
    for number, (ahead, chance) in enumerate(zip(lead, sampled, strict=True)):
        right = chance < (1 / (1 + 3 * math.exp(-ahead / temperature)) if temperature else ahead > 0)
        answer = "A" if right else "BCD"[int(chance * 1000) % 3]
        rows.append(
            make.sample(
                number, task="quiz", scores={"acc": float(right)}, responses=[f"It is {answer}."], answer=answer
            )
        )
    return make.run({"quiz": rows})


def rung(make, margin=None, **changes):
    original = evaluate(make, seed=1234)
    return agreement(compare(original, evaluate(make, **changes), Asked(margin=margin)))


def test_the_same_seed_gives_identical_samples(make):
    assert rung(make, seed=1234).agreement == "identical samples"


def test_another_seed_is_inconclusive_without_a_margin(make):
    found = rung(make, seed=1235)

    assert found.agreement == "inconclusive"
    assert found.hint is not None


def test_another_seed_is_equivalent_within_a_margin_that_so_many_samples_can_show(make):
    found = rung(make, seed=1235, margin=0.1)

    assert found.agreement == "equivalent"
    assert found.reason.endswith("within ±10.0 points")


def test_another_seed_is_inconclusive_within_a_margin_that_so_few_samples_cannot_show(make):
    found = rung(make, seed=1235, margin=0.01)

    assert found.agreement == "inconclusive"
    assert "would have to lie within ±1.0 points" in found.reason


def test_a_worse_model_is_different_with_or_without_a_margin(make):
    assert rung(make, seed=1235, lost=1.5).agreement == "different"
    assert rung(make, seed=1235, lost=1.5, margin=0.05).agreement == "different"


def test_without_sampling_the_seed_does_not_matter(make):
    greedy = {"temperature": 0.0, "seed": 1}
    original, again = evaluate(make, **greedy), evaluate(make, **greedy)

    assert agreement(compare(original, again)).agreement == "identical samples"


@pytest.mark.parametrize(("lost", "reached"), [(0.0, "equivalent"), (1.5, "different")])
def test_repeats_with_other_seeds_come_to_one_verdict_and_a_flip_rate(make, lost, reached):
    repeats = [evaluate(make, seed=seed, lost=lost) for seed in (1, 2, 3)]

    found = repeated(evaluate(make, seed=1234), repeats, Asked(margin=0.08))

    assert found.agreed.agreement == reached
    assert at_least_equivalent(found.agreed.agreement) == (lost == 0.0)
    (score,) = [rate for rate in found.flips if rate.metric == "acc"]
    assert 0.05 < score.between < 0.4
