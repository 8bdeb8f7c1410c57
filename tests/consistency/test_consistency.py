"""Results against their samples: what fits raises nothing, and each thing that does not is found by its code."""

import ast
import math
import statistics
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import reprokit.consistency
from reprokit.bundle.canonical import digest
from reprokit.bundle.finding import CATALOGUE
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import NotScored
from reprokit.consistency import Consistency
from reprokit.consistency.keys import Keys
from reprokit.consistency.responses import holds_nan, is_empty

NAN = NotScored(not_scored="nan")
MEAN = {"metric_list": [{"metric": "acc", "aggregation": "mean"}]}


def check(results, samples):
    consistency = Consistency(results)
    for sample in samples:
        consistency.see(sample)
    found = consistency.findings()
    assert found == sorted(set(found))
    assert all(each.code in CATALOGUE and each.where and "\n" not in each.message for each in found)
    return found


def codes(results, samples):
    return [each.code for each in check(results, samples)]


def a_sample(number, mark, task="t", **more):
    return Sample(
        task=task,
        id=number,
        **{
            "filter": "none",
            "document": {"n": number},
            "document_digest": digest({"n": number}),
            "prompt_digest": digest(f"prompt {number}"),
            "responses": [f"answer {number}"],
            "scores": {"acc": mark},
            **more,
        },
    )


def a_run(marks, task="t", config=MEAN, **more):
    """A task whose results follow from its marks."""
    error = statistics.stdev(marks) / math.sqrt(len(marks)) if len(marks) > 1 else NotScored(not_scored="N/A")
    metric = Metric(
        task=task, metric="acc", filter="none", value=math.fsum(marks) / len(marks), stderr=error, n=len(marks)
    )
    metric = replace(metric, **more)
    tasks = [Task(name=task, samples_claimed=metric.n, samples_available=len(marks), config=config)]
    return Results(metrics=[metric], tasks=tasks), [a_sample(number, mark, task) for number, mark in enumerate(marks)]


marks = st.lists(st.sampled_from([0.0, 1.0]) | st.floats(-1e6, 1e6) | st.booleans() | st.integers(-5, 5), min_size=1)


@given(marks=marks, data=st.data())
@settings(deadline=None)
def test_results_that_follow_from_their_samples_raise_nothing_in_whatever_order_they_come(marks, data):
    results, samples = a_run([float(mark) for mark in marks])
    samples = [replace(sample, scores={"acc": mark}) for sample, mark in zip(samples, marks, strict=True)]
    assert check(results, data.draw(st.permutations(samples))) == []


@given(marks=marks, off=st.floats(2e-6, 1e3) | st.floats(-1e3, -2e-6))
@settings(deadline=None)
def test_any_other_score_or_error_is_found(marks, off):
    marks = [float(mark) for mark in marks]
    # Beyond what the rounding of a sum of such marks can explain.
    off *= 1 + max(abs(mark) for mark in marks)
    results, samples = a_run(marks)
    (metric,) = results.metrics
    wrong = replace(results, metrics=[replace(metric, value=metric.value + off)])
    assert codes(wrong, samples) == ["W318"]
    if len(marks) > 1:
        wrong = replace(results, metrics=[replace(metric, stderr=metric.stderr + off)])
        assert codes(wrong, samples) == ["W319"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just("nan"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(["t", "u", "g", "acc", "mean", None])
scores = st.booleans() | st.integers() | st.floats() | st.just(NAN) | st.just(10**400)
some_results = st.builds(
    Results,
    metrics=st.lists(
        st.builds(
            Metric,
            task=names.map(str),
            metric=names.map(str),
            filter=names,
            value=scores,
            stderr=st.none() | st.floats() | st.just(NAN),
            other_stderr=st.dictionaries(st.just("clt"), scores),
            n=st.none() | st.integers(0, 5),
            group=st.booleans(),
        ),
        max_size=5,
    ),
    tasks=st.lists(
        st.builds(
            Task,
            name=names.map(str),
            n_shot=st.none() | st.integers(0, 2),
            samples_claimed=st.none() | st.integers(0, 5),
            samples_available=st.none() | st.integers(0, 5),
            config=anything | st.fixed_dictionaries({"metric_list": anything, "num_fewshot": anything}) | st.just(MEAN),
        ),
        max_size=4,
    ),
    groups=st.dictionaries(names.map(str), st.lists(names.map(str), max_size=3)),
)
some_samples = st.lists(
    st.builds(
        Sample,
        task=names.map(str),
        id=st.integers() | st.text(max_size=3),
        epoch=st.integers(1, 2),
        filter=names,
        document_digest=st.none() | st.just(digest(1)),
        prompt_digest=st.none() | st.sampled_from([digest(1), digest(2)]),
        responses=st.lists(anything, max_size=2),
        scores=st.dictionaries(names.map(str), scores, max_size=2),
    ),
    max_size=12,
)


@given(results=some_results, samples=some_samples)
@settings(deadline=None)
def test_whatever_the_records_hold_nothing_is_raised(results, samples):
    check(results, samples)


@pytest.mark.parametrize(
    "config",
    [
        {"metric_list": [{"metric": "acc", "aggregation": "def best(items):\n    return max(items)\n"}]},
        {"metric_list": [{"metric": "acc", "aggregation": "median"}]},
        {"metric_list": [{"metric": "acc"}]},
        {"metric_list": [{"metric": "acc", "aggregation": "mean"}, {"metric": "acc", "aggregation": "max"}]},
        {"metric_list": {"acc": "mean"}},
        {},
    ],
)
def test_a_score_that_may_have_been_computed_in_another_way_is_left_alone(config):
    results, samples = a_run([0.0, 1.0, 1.0], config=config, value=1.0, stderr=0.5)
    assert codes(results, samples) == []


@pytest.mark.parametrize("stderr", [None, NAN, NotScored(not_scored="N/A")])
def test_an_error_that_was_not_computed_is_left_alone(stderr):
    results, samples = a_run([0.0, 1.0], stderr=stderr)
    assert codes(results, samples) == []


def test_the_message_gives_both_numbers():
    results, samples = a_run([0.0, 1.0, 0.0, 0.0], value=0.5, other_stderr={"clt": 0.3})
    (found,) = check(results, samples)
    assert found.where == "t"
    assert "`acc` of filter `none`: 0.5 is reported, the mean of 4 samples is 0.25" in found.message
    (found,) = check(*a_run([0.0, 1.0, 0.0, 0.0], other_stderr={"clt": 0.3}))
    assert "0.3 (clt) is reported, the 4 samples give 0.25" in found.message


def test_a_score_over_samples_that_are_not_all_there_is_not_recomputed():
    results, samples = a_run([0.0, 1.0, 1.0], value=0.9)
    assert codes(results, samples[1:]) == []
    assert codes(results, [*samples[:2], replace(samples[2], scores={"acc": NAN})]) == []
    assert codes(results, [*samples[:2], samples[1]]) == ["W315"]


def test_samples_that_do_not_name_their_filter_belong_to_the_only_one():
    results, samples = a_run([0.0, 1.0, 1.0], value=0.9)
    nameless = [replace(sample, filter=None) for sample in samples]
    assert codes(results, nameless) == ["W318"]
    (metric,) = results.metrics
    two = replace(results, metrics=[metric, replace(metric, filter="strict")])
    assert codes(two, nameless) == []


@pytest.mark.parametrize(
    ("value", "metric", "found"),
    [
        (2 / 3, "acc", []),
        (0.67, "acc", []),
        (66.7, "acc", []),
        (67, "acc", []),
        (0.6, "acc", ["W318"]),
        (1, "acc", ["W318"]),
        (0, "acc", ["W318"]),
        (50.0, "acc", ["W318"]),
        (0.6, "f1", []),
    ],
)
def test_a_share_that_a_person_wrote_may_be_rounded_or_in_per_cent_but_not_another(value, metric, found):
    task = Task(name="t")
    results = Results(metrics=[Metric(task="t", metric=metric, value=value)], tasks=[task])
    samples = [a_sample(number, 0, filter=None, scores={metric: number > 0}) for number in range(3)]
    assert codes(results, samples) == found


def test_a_person_s_score_of_other_marks_is_left_alone():
    results = Results(metrics=[Metric(task="t", metric="acc", value=0.1)], tasks=[Task(name="t")])
    assert codes(results, [a_sample(number, 0.5, filter=None) for number in range(3)]) == []


def a_group(weighted, value=None, **more):
    """Two tasks of 1 and 3 samples, and their group."""
    runs = [a_run([1.0], "a"), a_run([0.0, 1.0, 0.0], "b")]
    means = [run.metrics[0].value for run, _ in runs]
    mean = (means[0] + 3 * means[1]) / 4 if weighted else sum(means) / 2
    group = Metric(task="g", metric="acc", filter="none", value=mean if value is None else value, group=True)
    results = Results(
        metrics=[*(metric for run, _ in runs for metric in run.metrics), group],
        tasks=[task for run, _ in runs for task in run.tasks],
        groups={"g": ["a", "b"]},
    )
    return replace(results, **more), [sample for _, samples in runs for sample in samples]


@pytest.mark.parametrize("weighted", [True, False])
def test_a_group_is_a_mean_of_its_tasks_weighted_or_not(weighted):
    assert codes(*a_group(weighted)) == []
    (found,) = check(*a_group(weighted, 0.6))
    assert (found.code, found.where) == ("W320", "g")
    assert (
        "0.6 is reported, the mean of its 2 tasks is 0.5 weighted by size and 0.666666666667 unweighted"
        in found.message
    )


def test_a_group_is_held_against_its_tasks_even_without_samples():
    results, _ = a_group(weighted=True, value=0.6)
    assert codes(results, []) == ["W320"]


def test_a_group_of_groups_stands_for_all_their_tasks():
    results, samples = a_group(weighted=True, value=0.6, groups={"g": ["inner", "b"], "inner": ["a", "g"]})
    assert codes(results, samples) == ["W320"]
    assert codes(replace(results, groups={"g": ["inner", "b"], "inner": ["a", "unknown"]}), samples) == []


@pytest.mark.parametrize(("value", "found"), [(0.5, []), (2 / 3, []), (0.6, []), (7 / 9, []), (4 / 7, ["W320"])])
def test_a_task_in_two_groups_within_a_group_may_have_been_counted_once_or_twice(value, found):
    results, samples = a_group(weighted=True, value=value, groups={"g": ["x", "y"], "x": ["a", "b"], "y": ["a"]})
    assert codes(results, samples) == found


def test_the_score_of_a_group_within_a_group_may_have_been_taken_as_it_is():
    results, samples = a_group(weighted=True, value=0.8, groups={"g": ["inner", "b"], "inner": ["a"]})
    inner = Metric(task="inner", metric="acc", filter="none", value=1.0, n=7, group=True)
    counted = (7 * 1.0 + 3 * results.metrics[1].value) / 10
    both = replace(results, metrics=[*results.metrics, inner])
    assert counted == pytest.approx(0.8)
    assert codes(both, samples) == []
    assert codes(results, samples) == ["W320"]


def test_tasks_may_be_weighted_by_the_samples_that_are_there():
    results, samples = a_group(weighted=True)
    first, *others = results.metrics
    claimed = replace(
        results,
        metrics=[replace(first, n=2), *others],
        tasks=[replace(results.tasks[0], samples_claimed=2), results.tasks[1]],
    )
    assert codes(claimed, samples) == ["W325"]


def test_a_group_without_the_numbers_of_its_tasks_is_left_alone():
    results, samples = a_group(weighted=True, value=0.6)
    first, *others = results.metrics
    assert codes(replace(results, metrics=[replace(first, value=NAN, stderr=None), *others]), samples) == []
    assert codes(replace(results, groups={}), samples) == []


def test_a_sample_that_is_there_twice_is_found():
    results, samples = a_run([0.0, 1.0, 1.0, 1.0])
    (found,) = check(results, [*samples, samples[1], samples[3]])
    assert (found.code, found.where) == ("W315", "t")
    assert "sample `1`, and 1 more" in found.message
    assert codes(results, [*samples, replace(samples[1], epoch=2)]) == []
    assert codes(results, [*samples, replace(samples[1], id="1")]) == ["W325"]


keys = st.lists(st.tuples(st.integers(-3, 6) | st.text("ab1", max_size=2), st.integers(1, 2)))


@given(keys=keys)
@example(keys=[(0, 1), (3, 1), (1, 1), (2, 1), (3, 1), (4, 1), (2, 1)])
def test_keys_are_counted_as_a_set_counts_them(keys):
    seen = Keys()
    for key, epoch in keys:
        seen.add(key, epoch)
    typed = [(type(key), key, epoch) for key, epoch in keys]
    assert seen.repeated == len(typed) - len(set(typed))
    assert seen.distinct == len({each for each in typed if each[2] == 1})
    assert (seen.example is None) == (seen.repeated == 0)


def test_keys_that_count_up_take_no_memory():
    def peak(count, key):
        tracemalloc.start()
        try:
            seen = Keys()
            for number in range(count):
                seen.add(key(number), 1)
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    peak(10, int)
    assert peak(20_000, int) < 2_000
    assert peak(20_000, lambda number: f"{number}-{'x' * 500}") < 20_000 * 200


def test_one_document_for_all_samples_is_found():
    results, samples = a_run([0.0, 1.0])
    same = [replace(sample, document_digest=digest(1)) for sample in samples]
    (found,) = check(results, same)
    assert (found.code, found.where) == ("W324", "t")
    assert "all 2 samples" in found.message
    assert codes(results, [replace(sample, document_digest=None) for sample in samples]) == []
    assert codes(*a_run([1.0])) == []


def pairs(*numbers):
    return [[number, "False"] for number in numbers]


@pytest.mark.parametrize(
    ("responses", "numbers", "found"),
    [
        (pairs("nan", "-1.0"), False, True),
        ([pairs("-1.0"), pairs("nan")], False, True),
        ([{"not_scored": "nan"}], False, True),
        (["nan"], True, True),
        (pairs("-1.0", "-inf"), False, False),
        (["nan"], False, False),
        (["nan", "nan"], False, False),
        ([["nan", "nan"]], False, False),
        ([], True, False),
    ],
)
def test_a_log_probability_of_nan_is_told_from_the_word(responses, numbers, found):
    assert holds_nan(responses, numbers=numbers) is found


def test_nan_under_a_score_is_told_once_and_not_as_equal_answers():
    results, samples = a_run([1.0] * 12)
    broken = [replace(sample, responses=pairs("nan", "nan")) for sample in samples]
    (found,) = check(results, broken)
    assert (found.code, found.where) == ("W321", "t")
    assert "in 12 of 12 samples" in found.message
    unscored = [replace(sample, scores={"acc": NAN}) for sample in broken[:5]]
    assert codes(results, unscored) == []


def test_rolling_log_likelihoods_are_numbers_and_not_text():
    results, samples = a_run([1.0, 0.0], config={**MEAN, "output_type": "loglikelihood_rolling"})
    assert codes(results, [samples[0], replace(samples[1], responses=["nan"])]) == ["W321"]


@pytest.mark.parametrize(
    ("responses", "empty"),
    [
        ([""], True),
        ([" \n"], True),
        ([["", " "], [""]], True),
        ([], False),
        ([[]], False),
        ([None], False),
        ([0], False),
        (["", "a"], False),
        ([{"text": ""}], False),
    ],
)
def test_a_response_is_empty_when_all_of_it_is(responses, empty):
    assert is_empty(responses) is empty


def test_empty_answers_are_counted_once_for_all_filters():
    results, samples = a_run([1.0, 0.0, 1.0])
    empty = [replace(sample, responses=[""]) if sample.id else sample for sample in samples]
    (found,) = check(results, [*empty, *(replace(sample, filter="strict") for sample in empty)])
    assert (found.code, found.where) == ("W322", "t")
    assert "in 2 of 3 samples" in found.message


def test_one_answer_to_every_prompt_is_found_when_there_are_ten():
    results, samples = a_run([1.0] * 10)
    same = [replace(sample, responses=["A"]) for sample in samples]
    (found,) = check(results, same)
    assert (found.code, found.where) == ("W323", "t")
    assert codes(results, same[:9]) == []
    assert codes(results, [*same[:9], replace(same[9], responses=["B"])]) == []
    assert codes(results, [replace(sample, prompt_digest=digest("one")) for sample in same]) == []
    assert codes(results, [replace(sample, responses=[""]) for sample in same]) == ["W322"]


def test_numbers_of_the_harness_that_cannot_all_be_true_are_found():
    results, samples = a_run([1.0, 0.0, 1.0])
    (task,), (metric,) = results.tasks, results.metrics

    def told(**changes):
        found = check(replace(results, tasks=[replace(task, **changes)]), samples)
        assert {each.code for each in found} <= {"W325"}
        return " ".join(each.message for each in found)

    assert told() == ""
    assert "3 samples are claimed of a dataset that has 2" in told(samples_available=2)
    assert "3 different samples were saved of a dataset that has 2" in told(samples_available=2)
    assert "asks for 5 worked examples in a prompt, its results name 2" in told(config={"num_fewshot": 5}, n_shot=2)
    assert told(config={"num_fewshot": 0}, n_shot=2) == ""
    other = replace(results, metrics=[replace(metric, n=7)])
    assert (
        "`acc` of filter `none`: 7 samples are claimed, 3 of 3 saved ones have a mark"
        in check(other, samples)[0].message
    )
    assert codes(other, [replace(sample, filter="strict") for sample in samples]) == []


def test_the_check_knows_records_and_nothing_else_of_the_project():
    (folder,) = reprokit.consistency.__path__
    trees = [ast.parse(file.read_text()) for file in Path(folder).glob("*.py")]
    imported = {node.module for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    own = {module for module in imported if module.startswith("reprokit")}
    assert own
    assert all(module.startswith(("reprokit.bundle.", "reprokit.consistency")) for module in own)


def test_deep_responses_do_no_harm():
    deep = [""]
    for _ in range(100_000):
        deep = [deep]
    assert is_empty(deep)
    assert not holds_nan(deep, numbers=True)
    results, samples = a_run([1.0, 0.0])
    assert codes(results, [replace(sample, responses=[deep, [deep]]) for sample in samples]) == ["W322"]
