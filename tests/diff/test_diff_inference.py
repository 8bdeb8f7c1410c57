"""What is said of differences of scores: from samples on both sides to tests, intervals and an outcome."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from reprokit.bundle import canonical
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.sample import Medium
from reprokit.diff.compare import compare
from reprokit.diff.difference import Asked
from reprokit.errors import UsageError

CLOSE = {"rel": 1e-9, "abs": 1e-12}


@pytest.fixture
def scored(make):
    """Makes a side whose samples got these marks, and whose scores are their means: `scored(toy={"acc": [1, 0]})`."""

    def side(*, change=lambda sample: sample, times=1.0, higher=True, stderr=None, groups=None, extra=(), **tasks):
        streams, metrics = {}, []
        for task, marks in tasks.items():
            count = len(next(iter(marks.values())))
            streams[task] = [
                change(
                    msgspec.structs.replace(
                        make.sample(number, task=task),
                        scores={metric: float(values[number]) for metric, values in marks.items()},
                    )
                )
                for number in range(count)
            ]
            metrics += [
                Metric(
                    task=task,
                    metric=metric,
                    value=float(np.mean(values)) * times,
                    stderr=stderr,
                    n=count,
                    higher_is_better=higher,
                )
                for metric, values in marks.items()
            ]
        made = make.side(streams, metrics=[*metrics, *extra])
        results = Results(metrics=made.results.metrics, tasks=made.results.tasks, groups=groups or {})
        return dataclasses.replace(made, results=results)

    return side


def marks(seed, count=40, share=0.5):
    return (np.random.default_rng(seed).random(count) < share).astype(float)


def only_row(a, b, asked=None):
    (row,) = compare(a, b, asked or Asked()).scores
    return row


def test_right_and_wrong_are_tested_by_exact_mcnemar(scored):
    one, other = marks(1), marks(2)

    row = only_row(scored(toy={"acc": one}), scored(toy={"acc": other}))

    lost, won = int(((one == 1) & (other == 0)).sum()), int(((one == 0) & (other == 1)).sum())
    assert row.inference.test == "exact McNemar"
    assert row.inference.p == pytest.approx(mcnemar([[0, lost], [won, 0]], exact=True).pvalue, **CLOSE)
    assert row.inference.difference == pytest.approx(row.difference, **CLOSE)
    assert (row.inference.kind, row.inference.n, row.inference.clusters) == ("paired", 40, None)


def test_other_marks_are_tested_by_flipping_signs_and_get_a_t_interval(scored):
    one = np.random.default_rng(3).random(12)
    other = one + np.random.default_rng(4).normal(0.1, 0.1, 12)

    found = only_row(scored(toy={"f1": one}), scored(toy={"f1": other})).inference

    expected = stats.permutation_test((other - one,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
    interval = stats.ttest_1samp(other - one, 0).confidence_interval(0.95)
    assert found.test == "sign-flip permutation, exact"
    assert found.p == pytest.approx(expected, **CLOSE)
    assert (found.interval.low, found.interval.high) == pytest.approx(tuple(interval), **CLOSE)


def test_p_values_are_adjusted_over_all_tests_by_holm(scored):
    sides = [
        scored(**{f"task_{n}": {"acc": marks(10 * n + k, 60, 0.5 + 0.1 * n * k)} for n in range(4)}) for k in (0, 1)
    ]

    rows = compare(*sides).scores

    expected = multipletests([row.inference.p for row in rows], method="holm")[1]
    assert [row.inference.p_adjusted for row in rows] == pytest.approx(list(expected), **CLOSE)


def test_a_score_in_per_cent_is_judged_in_per_cent(scored):
    sides = [scored(toy={"acc": marks(k)}, times=100) for k in (1, 2)]
    plain = only_row(*(scored(toy={"acc": marks(k)}) for k in (1, 2))).inference

    row = only_row(*sides, Asked(margin=20))

    assert row.inference.difference == pytest.approx(row.difference)
    assert row.inference.interval.low == pytest.approx(100 * plain.interval.low)
    assert row.inference.detectable == pytest.approx(100 * plain.detectable)
    assert row.inference.equivalence.margin == pytest.approx(20)
    assert row.inference.p == plain.p


def test_a_score_that_was_rounded_is_still_the_mean_of_its_samples(scored, make):
    one, other = marks(1, 37), marks(2, 37)
    sides = [
        make.side(
            [make.sample(n, acc=float(mark)) for n, mark in enumerate(each)],
            metrics=[Metric(task="toy", metric="acc", value=round(100 * float(each.mean()), 1))],
        )
        for each in (one, other)
    ]

    assert only_row(*sides).inference.n == 37


def test_a_score_that_is_no_mean_of_its_samples_is_not_tested(make):
    def side(value):
        return make.side(
            [make.sample(n, acc=1) for n in range(4)], metrics=[Metric(task="toy", metric="acc", value=value)]
        )

    row = only_row(side(0.25), side(0.5))

    assert (row.inference, row.untested) == (None, "it is not the mean of its samples' scores")
    assert row.outcome == "different"


def test_nothing_is_tested_where_other_questions_were_asked(scored):
    def another(sample):
        return msgspec.structs.replace(
            sample, document={"other": sample.id}, document_digest=None, prompt="other", prompt_digest=None
        )

    found = compare(scored(toy={"acc": marks(1)}), scored(toy={"acc": marks(2)}, change=another))

    assert found.verdict == "not comparable"
    assert found.scores[0].inference is None
    assert found.scores[0].untested.startswith("not comparable: ")
    assert found.scores[0].outcome == "not compared"


def test_samples_about_another_document_take_no_part_in_a_test(scored):
    def some(sample):
        other = {"document": {"other": 1}, "prompt": "other", "prompt_digest": None}
        return msgspec.structs.replace(sample, **other) if sample.id < 10 else sample

    one, other = marks(1), marks(2)
    found = only_row(scored(toy={"acc": one}), scored(toy={"acc": other}, change=some)).inference

    assert found.n == 30
    assert found.difference == pytest.approx(other[10:].mean() - one[10:].mean())


def test_a_document_with_one_more_key_asks_the_same_question(scored):
    def with_passage(sample):
        return msgspec.structs.replace(sample, document=sample.document | {"passage": 1}, document_digest=None)

    found = compare(scored(toy={"acc": marks(1)}), scored(toy={"acc": marks(2)}, change=with_passage))

    assert (found.comparability.status, found.samples[0].other_questions) == ("partly", 0)
    assert found.comparability.tasks[0].differs == ["documents"]
    assert found.scores[0].inference.n == 40


def test_another_picture_under_the_same_words_is_another_question(scored):
    def of(picture):
        def change(sample):
            medium = Medium(kind="image", digest=f"sha256:{picture:064x}")
            return msgspec.structs.replace(sample, media=[medium])

        return change

    found = compare(scored(toy={"acc": marks(1)}, change=of(1)), scored(toy={"acc": marks(2)}, change=of(2)))

    assert found.verdict == "not comparable"


def test_without_samples_the_standard_errors_decide_and_it_is_said(make):
    def side(value, stderr=0.02):
        return make.side({}, metrics=[Metric(task="toy", metric="acc", value=value, stderr=stderr, n=500)])

    found = only_row(side(0.5), side(0.6))

    expected = stats.ttest_ind_from_stats(0.6, 0.02 * np.sqrt(500), 500, 0.5, 0.02 * np.sqrt(500), 500, equal_var=False)
    assert (found.inference.kind, found.outcome) == ("unpaired", "different")
    assert found.inference.p == pytest.approx(expected.pvalue, **CLOSE)
    assert "wider than a paired one" in found.inference.note
    assert only_row(side(0.5, None), side(0.6)).untested.startswith("not both saved samples")


# --- outcomes ----------------------------------------------------------------------------------------------------------


def test_a_difference_that_chance_explains_is_inconclusive(scored):
    found = compare(scored(toy={"acc": marks(1)}), scored(toy={"acc": marks(2)}))

    assert (found.verdict, found.scores[0].outcome) == ("inconclusive", "inconclusive")
    assert found.headline.startswith("inconclusive: 1 of 1 scores differ, none by more than chance explains")


def test_a_small_difference_of_many_samples_is_equivalent_within_a_margin(scored):
    one = marks(1, 2000)
    other = one.copy()
    one[:4], other[:4] = [1, 1, 1, 0], [0, 0, 0, 1]
    sides = [scored(toy={"acc": each}) for each in (one, other)]

    assert compare(*sides, Asked(margin=0.02)).verdict == "equivalent"
    assert compare(*sides, Asked(margins={"acc": 0.02})).verdict == "equivalent"
    assert compare(*sides, Asked(margin=0.0005)).verdict != "equivalent"
    with pytest.raises(UsageError, match="there is no such metric"):
        compare(*sides, Asked(margins={"f1": 0.02}))
    with pytest.raises(UsageError, match="holds every difference") as refused:
        compare(*sides, Asked(margin=5))
    assert "`--margin acc=0.05`" in refused.value.hint


def test_few_samples_are_never_equivalent(scored):
    sides = [scored(toy={"acc": [1.0, 0.0, value]}) for value in (0.0, 1.0)]

    assert compare(*sides, Asked(margin=0.01)).verdict == "inconclusive"


# --- clusters ----------------------------------------------------------------------------------------------------------


def by_fours(sample):
    return msgspec.structs.replace(
        sample, document={"passage_id": sample.id // 4, "n": sample.id}, document_digest=None
    )


def of_a_picture(sample):
    digest = f"sha256:{sample.id // 4:064x}"
    return msgspec.structs.replace(sample, media=[Medium(kind="image", digest=digest)])


@pytest.mark.parametrize(
    ("change", "cluster", "name"),
    [
        (by_fours, "passage_id", "passage_id"),
        (by_fours, "document.passage_id", "document.passage_id"),
        (of_a_picture, None, "picture"),
    ],
)
def test_samples_that_share_something_are_grouped(scored, change, cluster, name):
    one, other = np.repeat(marks(1, 20), 4), np.repeat(marks(2, 20), 4)

    found = only_row(
        scored(toy={"acc": one}, change=change), scored(toy={"acc": other}, change=change), Asked(cluster=cluster)
    ).inference

    plain = only_row(scored(toy={"acc": one}), scored(toy={"acc": other})).inference
    assert (found.clusters, found.clustered_by, found.n) == (20, name, 80)
    assert found.design_effect == pytest.approx(4, rel=0.1)
    assert found.stderr > 1.8 * plain.stderr
    assert found.p > plain.p


def test_repeats_of_an_item_are_one_group(make):
    rng = np.random.default_rng(0)
    sides = []
    for _ in range(2):
        rows = [
            msgspec.structs.replace(make.sample(n, acc=float(rng.random() < 0.5)), epoch=epoch)
            for n in range(15)
            for epoch in (1, 2, 3)
        ]
        value = float(np.mean([row.scores["acc"] for row in rows]))
        sides.append(make.side(rows, metrics=[Metric(task="toy", metric="acc", value=value)]))

    found = only_row(*sides).inference

    assert (found.n, found.clusters) == (45, 15)


def test_a_digest_that_all_samples_share_groups_nothing(scored):
    def same(sample):
        return msgspec.structs.replace(sample, document=None, document_digest="sha256:" + "0" * 64)

    found = only_row(scored(toy={"acc": marks(1)}, change=same), scored(toy={"acc": marks(2)}, change=same))

    assert found.inference.clusters is None


def test_a_key_that_no_sample_has_is_refused(scored):
    with pytest.raises(UsageError, match="no sample has `speaker`"):
        compare(scored(toy={"acc": marks(1)}), scored(toy={"acc": marks(2)}), Asked(cluster="speaker"))


# --- groups ------------------------------------------------------------------------------------------------------------


def group_of(value):
    return [Metric(task="both", metric="acc", value=float(value), group=True)]


@pytest.mark.parametrize("by_size", [True, False])
def test_a_group_is_judged_by_its_tasks_weighted_as_the_harness_does(scored, by_size):
    tasks = [{"one": marks(k, 30), "two": marks(k + 10, 90)} for k in (1, 2)]
    sides = []
    for each in tasks:
        whole = np.concatenate(list(each.values())).mean() if by_size else np.mean([m.mean() for m in each.values()])
        sides.append(
            scored(
                **{name: {"acc": values} for name, values in each.items()},
                groups={"both": ["one", "two"]},
                extra=group_of(whole),
            )
        )

    rows = {row.task: row for row in compare(*sides).scores}

    weights = (0.25, 0.75) if by_size else (0.5, 0.5)
    errors = [rows[name].inference.stderr for name in ("one", "two")]
    found = rows["both"].inference
    assert found.kind == "group"
    assert found.difference == pytest.approx(rows["both"].difference)
    assert found.stderr == pytest.approx(np.hypot(weights[0] * errors[0], weights[1] * errors[1]))


def test_a_group_with_a_score_of_its_own_kind_is_not_judged(scored):
    sides = [
        scored(
            one={"acc": marks(k)}, two={"acc": marks(k + 5)}, groups={"both": ["one", "two"]}, extra=group_of(k / 10)
        )
        for k in (1, 2)
    ]

    (row,) = (row for row in compare(*sides).scores if row.group)

    assert row.untested == "it is neither the mean of its tasks nor weighted by their size"


# --- laws --------------------------------------------------------------------------------------------------------------

MARKS = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))


def reversed_interval(interval):
    return None if interval is None else (-interval.high + 0.0, -interval.low + 0.0)


def plain_interval(interval):
    return None if interval is None else (interval.low + 0.0, interval.high + 0.0)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_swapping_mirrors_every_sign_and_no_p_value(scored, data):
    count = data.draw(st.integers(1, 14))
    binary = data.draw(st.booleans())
    drawn = st.lists(st.sampled_from([0.0, 1.0]) if binary else MARKS, min_size=count, max_size=count)
    one, other = data.draw(drawn), data.draw(drawn)
    size = data.draw(st.integers(1, 4))

    def grouped(sample):
        return msgspec.structs.replace(sample, document={"k": sample.id // size, "n": sample.id}, document_digest=None)

    asked = Asked(margin=0.1, cluster="k")
    a, b = (scored(toy={"acc": each}, change=grouped) for each in (one, other))

    (there,), (back,) = compare(a, b, asked).scores, compare(b, a, asked).scores

    assert back.outcome == there.outcome
    x, y = there.inference, back.inference
    assert (y.difference, y.a, y.b) == (-x.difference + 0.0, x.b, x.a)
    assert plain_interval(y.interval) == reversed_interval(x.interval)
    same = ("kind", "n", "clusters", "design_effect", "stderr", "test", "p", "p_adjusted", "detectable", "note")
    assert [getattr(y, name) for name in same] == [getattr(x, name) for name in same]
    if x.equivalence is not None:
        assert (y.equivalence.p, y.equivalence.equivalent) == (x.equivalence.p, x.equivalence.equivalent)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_order_of_samples_changes_nothing(scored, data):
    count = data.draw(st.integers(1, 12))
    a, b = (scored(toy={"acc": data.draw(st.lists(MARKS, min_size=count, max_size=count))}) for _ in range(2))
    order = data.draw(st.permutations(range(count)))
    rows = list(b.streams["toy"]())
    shuffled = dataclasses.replace(b, streams={"toy": lambda: [rows[n] for n in order]})

    assert canonical.line(compare(a, shuffled).scores) == canonical.line(compare(a, b).scores)


def test_a_task_that_only_one_evaluated_is_not_judged(make, scored):
    a = scored(one={"acc": marks(1)}, two={"acc": marks(2)})
    b = dataclasses.replace(scored(one={"acc": marks(1)}), results=Results(metrics=[], tasks=[Task(name="one")]))

    assert {row.outcome for row in compare(a, b).scores} == {"not compared"}


def test_a_task_in_which_nothing_changed_does_not_silence_its_group_and_adds_no_certainty(scored):
    def side(seed, still):
        one, two = marks(seed, 60), marks(9, 60) if still else marks(seed + 20, 60)
        return scored(
            one={"acc": one}, two={"acc": two}, groups={"both": ["one", "two"]}, extra=group_of(np.mean([one, two]))
        )

    rows = {row.task: row.inference for row in compare(side(1, still=True), side(2, still=True)).scores}

    assert rows["two"].stderr is None
    assert rows["both"].stderr > rows["one"].stderr / 2
    assert rows["both"].interval is not None
