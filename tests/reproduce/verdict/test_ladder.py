"""The rungs, one by one, and what is said on them."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from reprokit.bundle.results import Metric
from reprokit.diff.compare import compare
from reprokit.diff.difference import Asked
from reprokit.reproduce.verdict.ladder import HINT, LADDER, agreement, at_least_equivalent


def turned(count, lost, won=0):
    """Marks of `count` samples, half of them right, of which so many turned."""
    before = np.arange(count) < count // 2
    after = before.copy()
    after[:lost] = False
    after[count - won :] = True
    return before.astype(float), after.astype(float)


def agreed(make, count, lost, won=0, **asked):
    before, after = turned(count, lost, won)
    return agreement(compare(make.marks(toy=before), make.marks(toy=after), Asked(**asked)))


def test_a_run_that_is_the_same_has_identical_samples(make):
    found = agreed(make, 4, 0)

    assert (found.agreement, found.reason) == (
        "identical samples",
        "all scores are equal (1), and so are all samples (4)",
    )
    assert (found.hint, found.detectable) == (None, None)


def test_other_responses_under_equal_scores_are_identical_scores(make):
    found = agreed(make, 10, 1, 1)

    assert (found.agreement, found.reason) == (
        "identical scores",
        "all scores are equal (1), but samples of `toy` differ",
    )


def test_a_difference_that_chance_explains_is_inconclusive_and_says_what_would_have_been_found(make):
    found = agreed(make, 200, 12, 8)

    assert found.agreement == "inconclusive"
    assert found.reason == (
        "1 of 1 scores differ, none by more than chance explains, 20 of 200 samples differ; "
        "`toy` acc: -2.0 points, 95 % interval -7.0 to +2.8; the test would have found 6.6 points"
    )
    assert found.hint == HINT
    assert found.detectable is not None
    assert found.detectable.difference == pytest.approx(-0.02)
    assert found.detectable.found == pytest.approx(0.0661, abs=0.0005)
    assert found.detectable.margin is None


def test_with_a_margin_it_is_told_what_is_missing_for_equivalence(make):
    found = agreed(make, 200, 12, 8, margin=0.02)

    assert (found.agreement, found.hint) == ("inconclusive", None)
    assert found.reason.endswith("for *equivalent*, 90 % interval -6.1 to +2.0, would have to lie within ±2.0 points")
    assert found.detectable.margin == pytest.approx(0.02)


def test_a_difference_within_the_margin_is_equivalent_and_tells_margin_and_interval(make):
    found = agreed(make, 200, 12, 8, margins={"acc": 0.08})

    assert found.agreement == "equivalent"
    assert found.reason == (
        "1 of 1 scores differ, by less than 0.08, 20 of 200 samples differ; "
        "`toy` acc: -2.0 points, 90 % interval -6.1 to +2.0, within ±8.0 points"
    )


def test_a_difference_beyond_chance_is_different_and_tells_the_worst_score(make):
    before, after = turned(200, 30)
    one = make.marks(toy={"acc": before, "f1": before}, more={"acc": before})
    other = make.marks(toy={"acc": after, "f1": before}, more={"acc": turned(200, 3)[1]})

    found = agreement(compare(one, other))

    assert found.agreement == "different"
    assert "; `toy` acc: -15.0 points, 95 % interval" in found.reason
    assert found.reason.endswith(", p <0.0001")
    assert found.detectable.task == "toy"


def test_a_score_that_nothing_can_be_tested_with_is_different_and_says_why(make):
    rows = [make.sample(number) for number in range(4)]

    def side(value):
        return make.run({"toy": rows}, metrics=[Metric(task="toy", metric="bleu", value=value)])

    found = agreement(compare(side(30.1), side(30.2)))

    assert found.agreement == "different"
    assert found.reason == (
        "1 of 1 scores differ; `toy` bleu: 30.1 in the original, 30.2 in the new run; "
        "not tested: no sample was scored under it"
    )


def test_one_sample_too_few_is_different_even_if_the_scores_are_equal(make):
    rows = [make.sample(number) for number in range(4)]

    found = agreement(compare(make.run({"toy": rows}), make.run({"toy": rows[:3]})))

    assert (found.agreement, found.reason) == ("different", "scores equal, 1 sample in only one of them")


def test_equal_scores_over_fewer_samples_that_nobody_saved_are_different(make):
    def side(n):
        return make.run({}, metrics=[Metric(task="toy", metric="acc", value=0.5, stderr=0.1, n=n)])

    found = agreement(compare(side(100), side(50)))

    assert (found.agreement, found.reason) == (
        "different",
        "`toy` acc is over 100 samples in the original and 50 in the new run",
    )
    assert agreement(compare(side(100), side(100))).agreement == "identical scores"


def test_tasks_that_claim_other_numbers_of_samples_are_different(make):
    def side(claimed):
        run = make.run({"toy": [make.sample(0)]}, metrics=[Metric(task="toy", metric="acc", value=0.5)])
        tasks = [msgspec.structs.replace(task, samples_claimed=claimed) for task in run.results.tasks]
        return make.run({}, results=msgspec.structs.replace(run.results, tasks=tasks))

    assert agreement(compare(side(9), side(8))).reason == "task `toy`: the number of samples is not the same"


def test_a_metric_that_the_new_run_lacks_is_named(make):
    one, other = make.marks(toy={"acc": [1, 0], "f1": [1, 0]}), make.marks(toy=[1, 0])

    found = agreement(compare(one, other))

    assert found.agreement == "different"
    assert found.reason.endswith("; `toy` f1 is only in the original")


def test_a_reproduction_of_other_tasks_is_not_comparable(make):
    found = agreement(compare(make.marks(toy=[1, 0]), make.marks(toy=[1, 0], extra=[1, 0])))

    assert (found.agreement, found.reason) == ("not comparable", "task `extra`: only one of them evaluated it")


def test_a_run_without_results_is_not_comparable(make):
    nothing = make.run({})

    assert agreement(compare(make.marks(toy=[1]), nothing)).reason == "one of the runs has no results"
    assert agreement(compare(nothing, make.run({}))).reason == "neither run has results"
    assert agreement(compare(nothing, nothing)).agreement == "not comparable"


def test_without_metrics_the_samples_decide(make):
    def side(**more):
        return make.run({"toy": [make.sample(0), make.sample(1, **more)]}, metrics=[])

    assert agreement(compare(side(), side())).agreement == "identical samples"
    assert agreement(compare(side(), side(answer="B"))).agreement == "different"
    assert agreement(compare(side(responses=[], answer=None), side(responses=[], answer=None))).reason == (
        "there are no metrics, and not both saved the responses of `toy`"
    )


def test_samples_that_were_not_saved_are_not_claimed_to_be_identical(make):
    def side(**more):
        return make.run({"toy": [make.sample(0, **more)]})

    bare = {"responses": [], "answer": None}
    assert agreement(compare(side(**bare), side(**bare))).agreement == "identical scores"
    assert agreement(compare(side(), side(**bare))).agreement == "identical scores"


def test_names_and_values_of_a_foreign_bundle_cannot_move_the_cursor(make):
    one, other = (make.marks(**{"to\x1b[31my": {"a\ncc": marks}}) for marks in ([1.0] * 20, [0.0] * 20))

    assert agreement(compare(one, other)).reason.isprintable()


@pytest.mark.parametrize("rung", LADDER)
def test_only_what_is_at_least_equivalent_counts_as_reproduced(rung):
    good = {"identical bytes", "identical samples", "identical scores", "equivalent"}

    assert at_least_equivalent(rung) == (rung in good)
