"""Several repeats of a run: each by itself, all together, and how often samples flip."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from reprokit.bundle.results import Metric
from reprokit.bundle.sample import Medium
from reprokit.bundle.values import NotScored
from reprokit.diff.compare import compare
from reprokit.diff.difference import Asked
from reprokit.reproduce.verdict.flips import flip_rates
from reprokit.reproduce.verdict.joining import join
from reprokit.reproduce.verdict.ladder import agreement
from reprokit.reproduce.verdict.means import mean_score
from reprokit.reproduce.verdict.pooled import Pooled
from reprokit.reproduce.verdict.repeats import repeated, together


def drawn(share, count, seed):
    return (np.random.default_rng(seed).random(count) < share).astype(float).tolist()


def samples_of(side, task="toy"):
    return [msgspec.json.decode(line) for line in side.lines(task)]


# --- the pool ----------------------------------------------------------------------------------------------------------


def test_a_pooled_score_is_the_mean_over_the_repeats(make):
    pool = Pooled([make.marks(toy=[1, 1, 0]), make.marks(toy=[1, 0, 0]), make.marks(toy=[1, 0, 0])])

    assert [sample["scores"]["acc"] for sample in samples_of(pool)] == [1.0, 1 / 3, 0.0]
    (metric,) = pool.results.metrics
    assert (metric.value, metric.n) == (pytest.approx(4 / 9), 3)


def test_what_the_model_said_is_kept_where_all_repeats_say_the_same(make):
    pool = Pooled([make.marks(toy=[1, 1]), make.marks(toy=[1, 0])])

    first, second = samples_of(pool)

    assert (first["responses"], first["answer"]) == (["{'acc': 1.0}"], "{'acc': 1.0}")
    assert (second["responses"], second["answer"]) == ([], None)
    assert second["document"] == {"question": "q1"}


def test_what_only_one_repeat_saved_is_not_what_all_said(make):
    rows = [make.sample(0)]
    bare = [make.sample(0, responses=[], answer=None)]

    for order in ([rows, bare], [bare, rows]):
        (sample,) = samples_of(Pooled([make.run({"toy": each}) for each in order]))
        assert (sample["responses"], sample["answer"]) == ([], None)


def test_the_order_of_the_files_does_not_matter_to_the_pool(make):
    runs = [make.marks(toy=drawn(0.5, 30, seed)) for seed in range(3)]
    shuffled = [make.run({"toy": run.samples["toy"][::step]}) for run, step in zip(runs, (1, -1, 1), strict=True)]

    one, other = Pooled(runs), Pooled(shuffled)

    assert sorted(one.lines("toy")) == sorted(other.lines("toy"))
    assert one.results == other.results


@pytest.mark.parametrize(
    ("scores", "mean"),
    [
        ([True, False], 0.5),
        ([0.1, 0.1, 0.1], 0.1),
        ([1, 1.0, True], 1),
        ([NotScored(not_scored="nan")] * 2, NotScored(not_scored="nan")),
        ([1.0, NotScored(not_scored="nan")], NotScored(not_scored="no number in 1 of 2 repeats")),
        ([float("nan"), float("nan")], NotScored(not_scored="nan")),
        ([1.7e308, 1.7e308, 1.6e308], NotScored(not_scored="too large")),
    ],
)
def test_means_of_odd_scores(scores, mean):
    assert mean_score(scores) == mean


def test_a_score_that_is_no_mean_of_samples_is_the_mean_of_the_repeats(make):
    rows = [make.sample(0)]
    runs = [
        make.run({"toy": rows}, metrics=[Metric(task="toy", metric="bleu", value=value, stderr=error, n=7)])
        for value, error in ((30.0, 0.5), (31.0, 0.7))
    ]

    (metric,) = Pooled(runs).results.metrics

    assert (metric.value, metric.stderr, metric.n) == (30.5, 0.7, 7)


def test_the_score_of_a_group_is_judged_by_the_pooled_tasks(make):
    def run(seed):
        marks = {"one": drawn(0.5, 40, seed), "two": drawn(0.5, 40, seed + 50)}
        made = make.marks(**marks)
        group = Metric(task="all", metric="acc", group=True, value=float(np.mean([*marks.values()])), n=80)
        results = msgspec.structs.replace(
            made.results, metrics=[*made.results.metrics, group], groups={"all": ["one", "two"]}
        )
        return dataclasses.replace(made, results=results)

    found = compare(run(1), Pooled([run(2), run(3)]))

    (row,) = [row for row in found.scores if row.group]
    assert row.inference.kind == "group"


def test_a_pool_says_whose_it_is(make):
    runs = [make.marks(toy=[1]) for _ in range(3)]
    pool = Pooled(runs)

    assert pool.info.bundle_id == f"{runs[0].info.bundle_id} and 2 more"
    assert Pooled(runs[:1]).info.bundle_id == runs[0].info.bundle_id
    assert pool.identity not in {run.identity for run in runs}
    assert (pool.record, pool.environment, pool.sources) == (runs[0].record, None, [])


def test_a_sample_of_another_document_is_not_averaged_with_its_namesake(make):
    one = make.marks(toy=[1, 1])
    other = make.run({"toy": [make.sample(0), make.sample(1, document={"other": 1}, prompt="another?")]})

    assert [sample["id"] for sample in samples_of(Pooled([one, other]))] == [0]


# --- flip rates --------------------------------------------------------------------------------------------------------


def test_flips_are_counted_between_repeats_and_from_the_original(make):
    original = make.marks(toy=[1, 1, 0, 0])
    repeats = [make.marks(toy=marks) for marks in ([1, 1, 0, 1], [1, 0, 0, 1], [1, 0, 0, 0])]

    score, responses = sorted(flip_rates(original, repeats), key=lambda rate: rate.metric is None)

    pairs = [1 / 4, 2 / 4, 1 / 4]  # first and second, first and third, second and third
    assert (score.task, score.metric, score.samples) == ("toy", "acc", 4)
    assert score.between == pytest.approx(np.mean(pairs))
    assert score.from_original == pytest.approx(np.mean([1 / 4, 2 / 4, 1 / 4]))
    assert (responses.metric, responses.between, responses.from_original) == (None, score.between, score.from_original)


def test_a_single_repeat_has_no_flip_rate_of_its_own(make):
    (responses, score) = flip_rates(make.marks(toy=[1, 0]), [make.marks(toy=[1, 1])])

    assert (score.between, score.from_original) == (None, 0.5)
    assert responses.between is None


def test_a_sample_counts_where_two_runs_have_it(make):
    original, whole, fewer = (make.marks(toy=marks) for marks in ([1, 1, 1], [1, 1, 0], [0, 1]))

    (_, score) = flip_rates(original, [whole, fewer])

    assert (score.samples, score.between, score.from_original) == (3, 1 / 2, 2 / 5)


def test_responses_kept_out_flip_by_their_digest(make):
    def run(said):
        return make.run({"toy": [make.sample(0, responses=[], responses_digest="sha256:" + said * 64)]})

    (responses, _) = flip_rates(run("a"), [run("a"), run("b")])

    assert (responses.between, responses.from_original) == (1.0, 0.5)


def test_responses_that_nobody_saved_have_no_flip_rate(make):
    run = make.run({"toy": [make.sample(0, responses=[])]})

    assert [rate.metric for rate in flip_rates(run, [run, run])] == ["acc"]


def test_join_puts_together_what_comes_in_any_order():
    streams = [[("a", 1), ("b", 2), ("c", 3)], [("c", 30), ("a", 10)], [("b", 200), ("a", 100)]]

    assert sorted(join(streams), key=str) == [(1, 10, 100), (2, None, 200), (3, 30, None)]


# --- together ----------------------------------------------------------------------------------------------------------


def test_a_single_repeat_comes_to_what_it_comes_to_by_itself(make):
    original, again = make.marks(toy=drawn(0.5, 50, 1)), make.marks(toy=drawn(0.5, 50, 2))

    found = repeated(original, [again], Asked(margin=0.2))

    assert found.agreed == agreement(compare(original, again, Asked(margin=0.2))) == found.repeats[0].agreed
    assert found.difference.b.identity == again.identity


def test_repeats_that_are_all_the_same_have_identical_samples(make):
    original = make.marks(toy=drawn(0.5, 20, 1))

    found = repeated(original, [make.marks(toy=drawn(0.5, 20, 1)) for _ in range(3)])

    assert found.agreed.agreement == "identical samples"
    assert [each.agreed.agreement for each in found.repeats] == ["identical samples"] * 3
    assert [rate.between for rate in found.flips] == [0.0, 0.0]


def test_one_repeat_that_answers_otherwise_leaves_identical_scores(make):
    rows = [make.sample(each) for each in range(4)]
    other = [make.sample(0, responses=["other"]), *rows[1:]]

    found = repeated(*[make.run({"toy": rows}), [make.run({"toy": rows}), make.run({"toy": other})]])

    assert found.agreed.agreement == "identical scores"


def test_scores_that_are_equal_on_average_only_are_not_called_identical(make):
    original = make.marks(toy=[1, 0] * 20)
    repeats = [make.marks(toy=[1, 1] * 4 + [1, 0] * 16), make.marks(toy=[0, 0] * 4 + [1, 0] * 16)]
    for repeat in repeats:
        assert agreement(compare(original, repeat)).agreement == "inconclusive"

    without, wide = repeated(original, repeats), repeated(original, repeats, Asked(margin=0.5))

    assert without.agreed.agreement == "inconclusive"
    assert without.agreed.reason.startswith("all scores are equal on average over 2 repeats, and not in each of them; ")
    assert wide.agreed.agreement == "equivalent"


def test_repeats_that_are_all_worse_are_different(make):
    original = make.marks(toy=drawn(0.9, 100, 1))

    found = repeated(original, [make.marks(toy=drawn(0.5, 100, seed)) for seed in (2, 3, 4)])

    assert found.agreed.agreement == "different"
    (spread,) = found.spreads
    assert (spread.within, spread.mean) == (False, pytest.approx(np.mean(spread.repeats)))
    assert spread.smallest == min(spread.repeats)
    assert spread.largest == max(spread.repeats) < spread.original


def test_the_reason_counts_the_samples_that_differ_in_each_repeat_and_not_those_whose_mean_does(make):
    def run(word, wrong):
        rows = [make.sample(each, scores={"acc": float(each >= wrong)}) for each in range(10)]
        return make.run({"toy": [msgspec.structs.replace(row, responses=[f"{word} {row.id}"]) for row in rows]})

    found = repeated(run("a", 0), [run("b", 2), run("c", 1)])

    assert ", 10 of 10 samples differ in each repeat" in found.agreed.reason
    (rate,) = [each for each in found.flips if each.metric is None]
    assert rate.from_original == 1.0


def test_where_repeats_differ_in_different_numbers_of_samples_the_reason_says_between_which(make):
    found = repeated(make.marks(toy=[1] * 10), [make.marks(toy=[0] * each + [1] * (10 - each)) for each in (1, 3)])

    assert ", 1 to 3 of 10 samples differ in each repeat" in found.agreed.reason


def test_a_lucky_original_is_not_called_different_by_the_mean_of_its_repeats(make):
    original = make.marks(toy=[1] * 20)
    repeats = [make.marks(toy=np.arange(20) % 9 != place) for place in (1, 2, 3, 4, 5)]

    found = repeated(original, repeats)

    assert agreement(found.difference).agreement == "different"
    assert found.agreed.agreement == "inconclusive"
    assert found.agreed.reason.startswith(
        "on average over 5 repeats they are *different*, but only 0 of them by themselves; "
    )


def test_a_sample_that_one_repeat_lost_is_a_difference(make):
    marks = drawn(0.5, 20, 1)

    found = repeated(make.marks(toy=marks), [make.marks(toy=marks), make.marks(toy=marks[:-1])])

    assert found.agreed.agreement == "different"
    assert "1 sample in only one of them" in found.agreed.reason


def test_a_task_that_one_repeat_lacks_is_not_comparable(make):
    original = make.marks(toy=[1, 0], more=[1, 0])

    found = repeated(original, [original_again(original), make.marks(toy=[1, 0])])

    assert found.agreed.agreement == "not comparable"


def original_again(run):
    return dataclasses.replace(run, identity="sha256:" + "e" * 64)


def test_a_task_that_only_one_repeat_has_more_is_not_passed_over(make):
    original = make.marks(toy=[1, 0])

    found = repeated(original, [original_again(original), make.marks(toy=[1, 0], more=[1, 0])])

    assert found.agreed == found.repeats[1].agreed
    assert found.agreed.agreement == "not comparable"


def test_fewer_samples_in_one_repeat_that_saved_none_are_a_difference(make):
    def run(n):
        return make.run({}, metrics=[Metric(task="toy", metric="acc", value=0.5, stderr=0.1, n=n)])

    assert repeated(run(100), [run(100), run(100)]).agreed.agreement == "identical scores"
    assert repeated(run(100), [run(100), run(50)]).agreed.agreement == "different"


def test_an_original_with_repeats_of_its_own_is_paired_repeat_by_repeat_and_grouped_by_item(make):
    def run(seed):
        values = drawn(0.5, 120, seed)
        rows = [
            make.sample(at // 3, epoch=at % 3 + 1, scores={"acc": values[at]}, media=[], document={"n": at // 3})
            for at in range(120)
        ]
        return make.run({"toy": rows})

    found = repeated(run(1), [run(2), run(3)])

    (row,) = found.difference.scores
    assert (row.inference.n, row.inference.clusters) == (120, 40)
    assert {rate.samples for rate in found.flips} == {120}


def test_the_pool_keeps_pictures_by_which_samples_are_grouped(make):
    def run(seed):
        values = drawn(0.5, 40, seed)
        picture = [Medium(kind="image", digest="sha256:" + f"{each:064x}") for each in range(20)]
        rows = [make.sample(at, scores={"acc": values[at]}, media=[picture[at // 2]]) for at in range(40)]
        return make.run({"toy": rows})

    (row,) = repeated(run(1), [run(2), run(3)]).difference.scores

    assert (row.inference.clusters, row.inference.clustered_by) == (20, "picture")


def test_repeats_of_nothing_are_refused(make):
    with pytest.raises(ValueError, match="no repeat"):
        repeated(make.marks(toy=[1]), [])


def test_the_result_can_be_written_and_read(make):
    from reprokit.bundle import canonical
    from reprokit.reproduce.verdict.repeats import Repeated

    found = repeated(make.marks(toy=[1, 0]), [make.marks(toy=[1, 1]), make.marks(toy=[0, 1])], Asked(margin=0.1))

    assert canonical.decode(canonical.record(found), Repeated) == found


def test_together_never_claims_more_than_the_pool(make):
    original = make.marks(toy=drawn(0.9, 60, 1))
    alone = [compare(original, original_again(original))] * 3
    pooled = compare(original, make.marks(toy=drawn(0.3, 60, 2)))

    assert together(pooled, alone).agreement == "inconclusive"
