"""The verdict, the exit code, and how far a reproduction agrees."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest

from reprokit.bundle.results import Metric
from reprokit.bundle.values import NotScored, Unknown
from reprokit.diff.compare import compare
from reprokit.diff.shown.text import lines
from reprokit.diff.verdict import exit_code
from reprokit.reproduce.verdict.ladder import agreement


def rows(make, **changes):
    return [msgspec.structs.replace(make.sample(number), **changes) for number in range(4)]


def metric(value=0.5, **more):
    return Metric(task="toy", metric="acc", value=value, **more)


def came_to(a, b):
    found = compare(a, b)
    agreed = agreement(found)
    return found.verdict, found.reason, exit_code(found), agreed.agreement, agreed.reason


def test_equal_runs_are_identical(make):
    assert came_to(make.side(), make.side()) == (
        "identical",
        "1 score and 4 samples equal, set-up equal",
        0,
        "identical samples",
        "all scores are equal (1), and so are all samples (4)",
    )


def test_equal_results_of_another_set_up_are_the_same_results(make):
    other = make.side(record=make.record(["lm_eval", "run", "--tasks", "toy", "--limit", "4", "--seed", "1"]))

    verdict, reason, code, agreed, _ = came_to(make.side(), other)

    assert (verdict, code, agreed) == ("same results", 0, "identical samples")
    assert reason == "1 score and 4 samples equal; the set-up differs in 1 place"


def test_a_changed_score_is_a_difference(make):
    verdict, reason, code, agreed, why = came_to(make.side(), make.side(metrics=[metric(0.25)]))

    assert (verdict, code, agreed) == ("different", 1, "different")
    assert reason == "1 of 1 scores differ"
    assert why.startswith("1 of 1 scores differ; `toy` acc: 0.5 in the original, 0.25 in the new run")


def test_changed_responses_under_the_same_scores_are_told_and_no_difference_of_scores(make):
    b = make.side([make.sample(0, response="other"), *rows(make)[1:]])

    verdict, reason, code, agreed, why = came_to(make.side(), b)

    assert (verdict, code, agreed) == ("same scores", 0, "identical scores")
    assert reason == "1 response differs"
    assert lines(compare(make.side(), b))[0] == "same scores, 1 response differs"
    assert why == "all scores are equal (1), but samples of `toy` differ"


def test_other_prompts_with_the_same_answers_are_the_same_results(make):
    verdict, reason, *_ = came_to(make.side(), make.side(rows(make, prompt="another")))

    assert verdict == "same results"
    assert "what was asked differs" in reason


def test_a_missing_sample_is_a_difference(make):
    verdict, reason, _, agreed, _ = came_to(make.side(), make.side(rows(make)[:3]))

    assert (verdict, agreed) == ("different", "different")
    assert reason == "scores equal, 1 sample in only one of them"


def test_without_samples_no_more_than_equal_scores_is_claimed(make):
    def side():
        return make.side({}, metrics=[metric()], tasks=make.side().results.tasks)

    verdict, reason, _, agreed, why = came_to(side(), side())

    assert (verdict, agreed) == ("identical", "identical scores")
    assert "no samples to compare" in reason
    assert why == "all scores are equal (1), but not both saved samples of `toy`"


def test_one_task_without_samples_keeps_the_others_from_being_all_samples(make):
    a = make.side()
    both = [*a.results.tasks, msgspec.structs.replace(a.results.tasks[0], name="quiet")]

    def side():
        return make.side(tasks=both)

    assert came_to(side(), side())[3:] == (
        "identical scores",
        "all scores are equal (1), but not both saved samples of `quiet`",
    )


def test_samples_without_a_response_are_not_known_to_be_identical(make):
    bare = {"responses": [], "answer": None}

    assert came_to(make.side(rows(make, **bare)), make.side(rows(make, **bare)))[3] == "identical scores"
    assert came_to(make.side(), make.side(rows(make, **bare)))[3] == "identical scores"
    assert came_to(make.side(), make.side(rows(make, **bare)))[0] == "same results"


def test_no_more_is_claimed_equal_than_both_saved(make):
    found = compare(make.side(metrics=[metric()]), make.side(rows(make, responses=[], answer=None), metrics=[metric()]))

    assert found.reason.startswith("1 score and 4 samples equal in what both saved; ")
    assert "samples: 0 of 4 identical, 4 equal in what both saved" in lines(found)
    assert "in what both saved" not in compare(make.side(), make.side()).reason


@pytest.mark.parametrize(
    ("more", "verdict"),
    [({"stderr": 0.1}, "same results"), ({"n": 4}, "same results"), ({"extra": {"x": 1}}, "different")],
)
def test_standard_errors_and_counts_keep_equal_values_from_being_identical(make, more, verdict):
    assert came_to(make.side(metrics=[metric()]), make.side(metrics=[metric(**more)]))[0] == verdict


@pytest.mark.parametrize(
    ("before", "after", "same", "reason"),
    [
        (NotScored(not_scored="nan"), NotScored(not_scored="nan"), True, "not scored: nan"),
        (NotScored(not_scored="nan"), NotScored(not_scored="N/A"), False, "not scored: N/A, nan"),
        (NotScored(not_scored="nan"), 0.5, False, "not scored: nan"),
        (float("nan"), NotScored(not_scored="nan"), True, "not scored: nan"),
        (1, True, True, None),
        (10**400, 0.5, False, "too large"),
    ],
)
def test_scores_that_are_no_numbers_are_equal_for_the_same_reason_only(make, before, after, same, reason):
    (row,) = compare(make.side(metrics=[metric(before)]), make.side(metrics=[metric(after)])).scores

    assert (row.same, row.reason) == (same, reason)


def test_a_difference_of_nothing_has_no_sign(make):
    (row,) = compare(make.side(metrics=[metric(0.0)]), make.side(metrics=[metric(-0.0)])).scores

    assert (row.same, str(row.difference)) == (True, "0.0")


def test_a_metric_of_one_side_only_is_a_row_and_a_difference(make):
    b = make.side(metrics=[metric(), Metric(task="toy", metric="f1", value=0.1, filter="strict")])

    found = compare(make.side(metrics=[metric()]), b)

    (row,) = [row for row in found.scores if row.metric == "f1"]
    assert (row.a, row.b.value, row.filter, row.same, row.difference) == (None, 0.1, "strict", False, None)
    assert found.verdict == "different"


def test_a_metric_reported_twice_is_two_rows(make):
    def side(*values):
        return make.side(metrics=[metric(value) for value in values])

    assert [row.difference for row in compare(side(0.5, 0.25), side(0.5, 0.75)).scores] == [0.0, 0.5]


def test_a_run_without_results_cannot_be_compared_with_any_but_itself(make):
    failed = make.side({}, metrics=[], tasks=[])
    again = dataclasses.replace(failed, identity="other")

    assert came_to(failed, make.side())[:4] == ("not comparable", "only one of them has results", 1, "not comparable")
    assert came_to(failed, again)[:2] == ("not comparable", "neither has results")
    assert came_to(failed, failed)[:3] == ("identical", "it is the same bundle", 0)


def test_without_metrics_the_samples_decide(make):
    def side(samples):
        return make.side(samples, metrics=[])

    assert came_to(side(rows(make)), side(rows(make)))[3] == "identical samples"
    assert came_to(side(rows(make)), side(rows(make, answer="B")))[3:] == (
        "different",
        "4 of 4 samples differ",
    )


def test_of_many_different_scores_one_is_named(make):
    def side(value):
        return make.side(metrics=[metric(value, filter=str(number)) for number in range(5)])

    assert came_to(side(0.5), side(0.25))[4].startswith("5 of 5 scores differ; `toy` acc (0): 0.5 in the original")


def test_a_reproduction_of_other_tasks_is_not_comparable(make):
    b = make.side({"toy": rows(make), "extra": rows(make)})

    _, _, code, agreed, why = came_to(make.side(), b)

    assert (code, agreed, why) == (1, "not comparable", "task `extra`: only one of them evaluated it")


def test_what_neither_knows_is_said_and_what_one_knows_forbids_identical(make):
    unknown = Unknown(unknown="nobody looked")
    blind = make.record(run={"exit_code": unknown})

    verdict, reason, *_ = came_to(make.side(record=blind), make.side(record=blind))
    assert (verdict, reason) == (
        "identical",
        "1 score and 4 samples equal; 1 fact of the set-up not known of either",
    )
    verdict, reason, *_ = came_to(make.side(record=blind), make.side())
    assert (verdict, reason) == (
        "same results",
        "1 score and 4 samples equal; 1 fact of the set-up known of only one of them",
    )
