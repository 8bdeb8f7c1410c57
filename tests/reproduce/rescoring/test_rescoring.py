"""Scores computed again from samples: equal on every honest run, and what was tampered with is named."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from reprokit.bundle.record import Harness
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.sample import Sample
from reprokit.harnesses import table
from reprokit.reproduce.rescoring import rescore
from reprokit.reproduce.rescoring.patterns import UnsafePatternError, usable

RECORDED = Path(__file__).parents[2] / "recorded"
LM_EVAL = "lm_eval/0.4.13"
LMMS_EVAL = "lmms_eval/0.7.3"
RUNS = [
    (case.relative_to(RECORDED).as_posix(), number)
    for case in sorted(RECORDED.glob("lm*/*/*"))
    for number in range(len(table.by_files([case])))
]
FROM_PREDICTIONS = {
    "dummy_in_git", "dummy_unnamed", "empty_generations", "hf_all_samples", "hf_chat_hidden_folder", "local_time",
    "nested_groups", "undefined_likelihoods", "whole_second",
}  # fmt: skip


@pytest.mark.parametrize(("case", "number"), RUNS)
def test_on_an_honest_run_all_that_can_be_computed_again_is_equal(recorded, case, number):
    found = rescore(recorded(case, number))
    known = {row.same for row in found.rows}
    expected = {frozenset({True}): "identical scores", frozenset({True, None}): "inconclusive"}
    assert found.verdict == expected.get(frozenset(known), "not comparable")
    assert all(row.same is not False for row in found.rows)
    assert found.samples_changed == 0
    assert all(row.reason for row in found.rows if row.recomputed is None)
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


@pytest.mark.parametrize("case", sorted(FROM_PREDICTIONS))
def test_all_scores_of_lm_eval_s_own_metrics_follow_from_the_answers(recorded, case):
    found = rescore(recorded(f"{LM_EVAL}/{case}"))
    assert found.verdict == "identical scores"
    assert {row.how for row in found.rows} <= {"predictions", "task scores"}
    assert found.samples_rescored > 0


@pytest.mark.parametrize("case", ["flat", "rows", "tables"])
def test_shares_of_a_program_of_one_s_own_follow_from_its_marks(recorded, case):
    found = rescore(recorded(f"script/1/{case}"))
    assert all(row.same is not False for row in found.rows)


def test_what_cannot_be_computed_again_is_told_with_the_reason(recorded):
    rows = {(row.task, row.metric): row for row in rescore(recorded(f"{LM_EVAL}/odd_metrics")).rows}
    assert rows["toy_odd", "right"].how == "sample scores"
    assert "function of the task's own" in rows["toy_odd", "right"].reason
    assert rows["toy_odd", "pair"].reason == "it is no number but `a structure`"
    assert rows["toy/slash", "acc"].reason == "no samples of it were saved"
    assert rows["toy_rolling", "word_perplexity"].how == "predictions"
    assert "over 3 of the 6 samples" in rows["toy_rolling", "word_perplexity"].reason
    assert rescore(recorded(f"{LM_EVAL}/predict_only")).verdict == "not comparable"


def test_a_mean_is_not_taken_over_samples_that_are_not_all_there(recorded):
    rows = {(row.task, row.filter): row for row in rescore(recorded(f"{LM_EVAL}/cut_samples")).rows}
    assert rows["toy_gen", "flexible-extract"].reason == "it is over 5 samples, of which 2 are there"
    assert rows["toy_group", "none"].recomputed is None


# --- tampering ---------------------------------------------------------------------------------------------------------


def sample_changed(task, wanted, **changes):
    """Change the first sample of a task that is wanted."""

    def change(results, samples):
        rows = list(samples[task])
        index = next(index for index, row in enumerate(rows) if wanted(row))
        rows[index] = replace(rows[index], **{key: value(rows[index]) for key, value in changes.items()})
        return results, samples | {task: rows}

    return change


def score_changed(task, metric, by):
    def change(results, samples):
        metrics = [
            replace(each, value=each.value + by) if (each.task, each.metric) == (task, metric) else each
            for each in results.metrics
        ]
        return replace(results, metrics=metrics), samples

    return change


def test_a_changed_response_is_found_in_the_answer_and_in_the_score(recorded):
    change = sample_changed(
        "toy_gen", lambda row: row.id == 2 and row.filter == "strict-match", responses=lambda row: [row.target]
    )
    found = rescore(recorded(f"{LM_EVAL}/dummy_in_git", change=change))
    assert found.verdict == "different"
    assert [(each.id, each.filter, each.what) for each in found.changed] == [
        (2, "strict-match", "answer"), (2, "strict-match", "exact_match"),
    ]  # fmt: skip
    assert found.samples_changed == 1
    assert [(row.task, row.filter) for row in found.rows if row.same is False] == [("toy_gen", "strict-match")]


def test_a_changed_likelihood_is_found(recorded):
    def swapped(row):
        others = row.responses[1:]
        return [["-0.0001", "True"] if row.target != "0" else ["-999.0", "False"], *others]

    change = sample_changed("toy_mc", lambda row: "1.0" in str(row.scores["acc"]), responses=swapped)
    found = rescore(recorded(f"{LM_EVAL}/hf_all_samples", change=change))
    assert found.verdict == "different"
    assert {"answer", "acc"} <= {each.what for each in found.changed}
    assert ("toy_group", "acc", False) in {(row.task, row.metric, row.same) for row in found.rows}


@pytest.mark.parametrize("case", [f"{LM_EVAL}/dummy_in_git", f"{LMMS_EVAL}/two_tasks"])
def test_a_changed_mark_is_found(recorded, case):
    task, metric = ("toy_mc_b", "acc") if LM_EVAL in case else ("toy_vqa", "colour_acc")
    change = sample_changed(task, lambda row: row.scores[metric] == 1.0, scores=lambda row: row.scores | {metric: 0.0})
    found = rescore(recorded(case, change=change))
    assert found.verdict == "different"
    if LM_EVAL in case:
        assert [(each.what, each.recorded, each.recomputed) for each in found.changed] == [("acc", 0.0, 1.0)]
    else:
        assert [(row.task, row.same) for row in found.rows if row.same is False] == [(task, False)]


@pytest.mark.parametrize(
    ("case", "task", "metric"),
    [
        (f"{LM_EVAL}/dummy_in_git", "toy_mc_b", "acc_norm"),
        (f"{LM_EVAL}/dummy_in_git", "toy_group", "acc"),
        (f"{LM_EVAL}/odd_metrics", "toy_rolling", "bits_per_byte"),
        (f"{LM_EVAL}/odd_metrics", "toy_odd", "right"),
        (f"{LMMS_EVAL}/two_tasks", "toy_text", "exact_match"),
    ],
)
def test_a_changed_score_is_found_and_named(recorded, case, task, metric):
    found = rescore(recorded(case, change=score_changed(task, metric, 0.01)))
    assert found.verdict == "different"
    unequal = {(row.task, row.metric) for row in found.rows if row.same is False}
    assert unequal == {(task, metric)}
    assert f"`{task}` {metric}" in found.reason
    assert found.changed == []


# --- one definition at a time ------------------------------------------------------------------------------------------


def a_task(samples, metric, *, harness=None, **config):
    listed = [{"metric": "exact_match", "aggregation": "mean", **metric}]
    config = {"output_type": "generate_until", "metric_list": listed, "repeats": 1} | config
    task = Task(
        name="t",
        samples_claimed=len(samples),
        samples_saved=len(samples),
        samples_file="samples/t.jsonl",
        config=config,
    )
    score = sum(float(row.scores[listed[0]["metric"]]) for row in samples) / len(samples)
    metrics = [Metric(task="t", metric=listed[0]["metric"], filter="none", value=score, n=len(samples))]
    return Results(metrics=metrics, tasks=[task]), {"t": samples}


def answered(number, response, target, mark, metric="exact_match", **more):
    return Sample(
        task="t", id=number, filter="none", responses=[response], answer=response, target=target,
        scores={metric: mark}, **more,
    )  # fmt: skip


def test_the_options_of_exact_match_are_followed(seal):
    options = {
        "ignore_case": True,
        "ignore_punctuation": True,
        "regexes_to_ignore": [",", r"\$"],
        "ignore_numbers": False,
    }
    rows = [answered(0, "$1,000!", "1000", 1.0), answered(1, "Yes.", "yes", 1.0), answered(2, "no", "yes", 0.0)]
    (row,) = rescore(seal(*a_task(rows, options))).rows
    assert (row.how, row.same, row.recomputed) == ("predictions", True, pytest.approx(2 / 3))


@pytest.mark.parametrize(
    ("metric", "config"),
    [
        ({"hf_evaluate": True}, {}),
        ({"regexes_to_ignore": ["(a+)+$"]}, {}),
        ({"regexes_to_ignore": ["("]}, {}),
        ({}, {"process_results": "def process_results(doc, results): ..."}),
        ({}, {"doc_to_choice": ["a", "b"]}),
    ],
)
def test_what_is_not_known_is_not_computed_from_the_answers(seal, metric, config):
    rows = [answered(number, "a" * 40 + "!", "b", 0.0) for number in range(3)]
    (row,) = rescore(seal(*a_task(rows, metric, **config))).rows
    assert (row.how, row.same) == ("sample scores", True)
    assert row.reason


@pytest.mark.parametrize("target", ["['a', 'b']", None])
def test_a_target_that_may_be_several_is_not_guessed(seal, target):
    (row,) = rescore(seal(*a_task([answered(0, "a", target, 1.0)], {}))).rows
    assert row.how == "sample scores"


def test_a_choice_named_by_what_may_be_its_number_or_its_text_is_not_guessed(seal):
    pairs = [["-1.0", "True"], ["-2.0", "False"]]
    row = Sample(
        task="t", id=0, filter="none", prompt="?", responses=pairs, answer=pairs, target="1",
        scores={"acc": 0.0}, extra={"choices": [" 1", " 2"]},
    )  # fmt: skip
    bundle = seal(*a_task([row], {"metric": "acc"}, output_type="multiple_choice"))
    (found,) = rescore(bundle).rows
    assert found.how == "sample scores"
    assert "number or its text" in found.reason
    sure = replace(row, extra={"choices": [" yes", " no"]})
    (found,) = rescore(seal(*a_task([sure], {"metric": "acc"}, output_type="multiple_choice"))).rows
    assert (found.how, found.same) == ("predictions", True)


def test_marks_of_another_harness_are_not_taken_for_lm_eval_s(seal):
    results, samples = a_task([answered(0, "b", "a", 1.0)], {})
    other = Harness(name="lmms_eval", version="0.7.3", version_from="claim")
    assert rescore(seal(results, samples, other)).rows[0].how == "sample scores"
    assert rescore(seal(results, samples)).verdict == "different"


def test_a_bundle_without_scores_is_not_comparable(seal):
    found = rescore(seal(Results(), {}))
    assert (found.verdict, found.reason) == ("not comparable", "no score can be computed again: there are none")


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        r"\[(a+)+]",
        "(?x)(a+) +$",
        "(a+)(?#now)+$",
        "(?:a|aa)*$",
        "a?" * 30 + "a" * 30,
        "(a|a)" * 30 + "c",
        "(a|(?:a|a))" * 20 + "c",
        "(?:|a)" * 30 + "c",
        "(a?)?" * 20 + "c",
        "(?i)" + "(a|A)" * 30 + "c",
        "(?P<x>a+){2,}",
        "x" * 501,
    ],
)
def test_a_pattern_that_may_keep_the_machine_busy_is_refused(pattern):
    with pytest.raises(UnsafePatternError):
        usable(pattern, "a" * 40 + "!")


@pytest.mark.parametrize(
    "pattern",
    [
        ",",
        r"\$",
        r"\.$",
        r"\b(?:The |the |An |A |The |a |an )",
        r"#### (\-?[0-9\.\,]+)",
        r"(-?[$0-9.,]{2,})|(-?[0-9]+)",
        "(?s).*#### ",
        r"\((A|B|C|D)\)",
        r"(\([A-Z]\))",
        r"(?i)answer is \(?([A-J])\)?",
        "The best answer is ([A-D])",
        r"The answer is (\-?[0-9\.\,]*[0-9]+)",
        "The final answer is ((-?[$0-9.,]{2,})|(-?[0-9]+))",
        "((?<=The answer is )(.*)(?=.)|(?<=the answer is )(.*)(?=.)|(?<=The answer: )(.*)(?=.))",
        r"(?<= )([\" \[\(<{}>\)\]]+)|([\" \[\(<{}>\)\]]+)",
        r"答えは(\-?[0-9\.\,]+)です。",
        r"\b(Yes|No|yes|no)\b",
    ],
)
def test_the_patterns_of_well_known_tasks_are_used(pattern):
    assert usable(pattern, "the answer is #### 1,000 dollars" * 200).pattern == pattern


@pytest.mark.parametrize(("pattern", "size"), [(".*a.*b.*c", 5000), (r"(.*)(.*)\1x", 500), (".*" + "a" * 400, 2000)])
def test_a_pattern_is_refused_for_a_text_that_is_too_long_for_it(pattern, size):
    assert usable(pattern, "x" * 50)
    with pytest.raises(UnsafePatternError):
        usable(pattern, "x" * size)


def test_a_pattern_with_many_alternatives_is_told_and_not_tried(seal):
    rows = [answered(number, "a" * 60, "b", 0.0) for number in range(3)]
    (row,) = rescore(seal(*a_task(rows, {"regexes_to_ignore": ["(a|a)" * 30 + "c"]}))).rows
    assert (row.how, row.same) == ("sample scores", True)
    assert "too many ways through a text" in row.reason
