"""Comparisons that look like something they are not."""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
import pytest

from reprokit.bundle import canonical
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.values import NotScored
from reprokit.diff.compare import compare
from reprokit.diff.difference import Asked
from reprokit.diff.samples.clusters import as_label
from reprokit.diff.scores.reported import scales_of
from reprokit.diff.verdict import exit_code
from reprokit.errors import InvalidRecordError

OTHER = {"document": {"other": 1}, "document_digest": None, "prompt": "other", "prompt_digest": None}


def rows(make, marks, **changes):
    return [msgspec.structs.replace(make.sample(n, acc=float(mark)), **changes) for n, mark in enumerate(marks)]


def mean(samples):
    return float(np.mean([sample.scores["acc"] for sample in samples if isinstance(sample.scores.get("acc"), float)]))


def side(make, samples, *, value=None, **more):
    metric = Metric(task="toy", metric="acc", value=mean(samples) if value is None else value, higher_is_better=True)
    return make.side(samples, metrics=[metric], **more)


def came_to(a, b, asked=None):
    found = compare(a, b, asked or Asked())
    return found.verdict, found.scores[0].outcome, int(exit_code(found)), int(exit_code(found, "regression"))


# --- what was tested is not what is told -------------------------------------------------------------------------------


def test_a_loss_in_samples_that_took_no_part_is_neither_equivalent_nor_inconclusive(make):
    before = rows(make, [1] * 200)
    others = [msgspec.structs.replace(sample, **OTHER, scores={"acc": 0.0}) for sample in before[100:]]
    after = [*before[:100], *others]

    for asked in (Asked(), Asked(margin=0.1)):
        assert came_to(side(make, before), side(make, after), asked) == ("different", "different", 1, 1)


def test_marks_that_one_side_lacks_excuse_nothing(make):
    before = rows(make, [1] * 100 + [0] * 100)
    after = [
        *before[:100],
        *(msgspec.structs.replace(sample, scores={"acc": NotScored(not_scored="nan")}) for sample in before[100:]),
    ]

    assert came_to(side(make, before), side(make, after), Asked(margin=0.1))[:2] == ("different", "different")
    assert came_to(side(make, after), side(make, before), Asked(margin=0.1)) == ("different", "different", 1, 1)


def test_a_run_that_lost_samples_or_a_task_is_a_regression_and_no_equal(make):
    whole = side(make, rows(make, [1, 0] * 20))
    part = side(make, rows(make, [1, 0]))
    two = make.side({"toy": rows(make, [1]), "more": rows(make, [1], task="more")}, metrics=[])
    one = make.side({"toy": rows(make, [1])}, metrics=[])

    assert came_to(whole, part)[2:] == (1, 1)
    found = compare(two, one)
    assert (found.verdict, exit_code(found), exit_code(found, "regression")) == ("different", 1, 1)
    assert "1 task not comparable" in found.headline


def test_samples_that_turned_without_a_score_to_tell_are_a_regression(make):
    a, b = (make.side(rows(make, [mark] * 10), metrics=[]) for mark in (1, 0))

    found = compare(a, b)

    assert (found.verdict, exit_code(found), exit_code(found, "regression")) == ("different", 1, 1)


def test_a_score_that_there_is_now_is_no_regression(make):
    nan = side(make, rows(make, [1] * 4), value=NotScored(not_scored="nan"))

    assert came_to(nan, side(make, rows(make, [1] * 4)))[3] == 0
    assert came_to(side(make, rows(make, [1] * 4)), nan)[3] == 1


# --- which samples depend on each other --------------------------------------------------------------------------------


def clusters(make, change, marks=(1, 0) * 40, key=None):
    a, b = ([change(sample) for sample in rows(make, each)] for each in (marks, marks[::-1]))
    found = compare(side(make, a), side(make, b), Asked(cluster=key)).scores[0].inference
    return found.clusters, found.clustered_by


def test_repeats_of_items_do_not_hide_that_items_share_a_document(make):
    def change(sample):
        digest = f"sha256:{sample.id // 20:064x}"
        return msgspec.structs.replace(sample, id=sample.id // 2, epoch=sample.id % 2 + 1, document_digest=digest)

    assert clusters(make, change) == (4, "document")


def test_lines_that_repeat_an_id_are_one_item(make):
    assert clusters(make, lambda sample: msgspec.structs.replace(sample, id=sample.id // 8, document_digest=None)) == (
        10,
        "item",
    )


def test_a_key_that_a_task_lacks_leaves_it_its_own_groups(make):
    def of_passage(sample):
        return msgspec.structs.replace(sample, document={"passage": sample.id // 4}, document_digest=None)

    def of_document(sample):
        return msgspec.structs.replace(sample, task="more", document_digest=f"sha256:{sample.id // 8:064x}")

    def both(marks):
        streams = {
            "toy": [of_passage(sample) for sample in rows(make, marks)],
            "more": [of_document(sample) for sample in rows(make, marks)],
        }
        metrics = [Metric(task=task, metric="acc", value=mean(samples)) for task, samples in streams.items()]
        return make.side(streams, metrics=metrics)

    found = compare(both((1, 0) * 40), both((0, 1) * 40), Asked(cluster="passage")).scores

    assert {row.task: (row.inference.clusters, row.inference.clustered_by) for row in found} == {
        "toy": (20, "passage"),
        "more": (10, "document"),
    }


def test_a_digest_that_nearly_all_samples_share_is_not_believed(make):
    def change(sample):
        return msgspec.structs.replace(sample, document_digest=f"sha256:{int(sample.id == 3):064x}")

    assert clusters(make, change) == (None, None)


def test_ids_are_items_of_their_own_whatever_python_makes_of_them():
    ids = [-1, -2, 0, 2**61 - 1, 2**62, 2**63, "0", "-1", ""]

    assert len({as_label(identifier) for identifier in ids}) == len(ids)


# --- what a score is the mean of ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reported", "computed", "scales"),
    [
        (0.0, 0.0, {1.0, 100.0}),
        (10.0, 0.1, {100.0}),
        (0.51, 0.5123, {1.0}),
        (51.2, 0.5123, {100.0}),
        (0.5, 0.5123, set()),
        (51.0, 0.5123, set()),
        (1e-05, 0.075, set()),
        (0.6, 0.555, set()),
        (0.333333, 1 / 3, {1.0}),
        (None, 0.5, set()),
        (0.5, None, set()),
    ],
)
def test_a_score_is_a_mean_when_its_digits_say_so(reported, computed, scales):
    assert scales_of(reported, computed) == scales


def test_per_cent_that_falls_to_zero_is_still_per_cent(make):
    row = compare(
        side(make, rows(make, [1] + [0] * 9), value=10.0), side(make, rows(make, [0] * 10), value=0.0)
    ).scores[0]

    assert row.inference.difference == pytest.approx(-10)


# --- names and lists ---------------------------------------------------------------------------------------------------


def test_a_metric_that_is_reported_twice_is_compared_by_its_values_and_not_by_its_place(make):
    def twice(*values):
        return make.side({}, metrics=[Metric(task="toy", metric="acc", value=value) for value in values])

    assert all(row.same for row in compare(twice(0.5, 1.0), twice(1.0, 0.5)).scores)
    assert [row.same for row in compare(twice(0.5, 0.25), twice(0.75, 0.5)).scores] == [True, False]
    assert [row.b is None for row in compare(twice(0.5, 0.25), twice(0.25)).scores] == [False, True]


def test_a_group_whose_tasks_all_collapse_does_not_say_that_nothing_is_known(make):
    def both(mark):
        streams = {task: rows(make, [mark] * 20, task=task) for task in ("one", "two")}
        metrics = [Metric(task=task, metric="acc", value=float(mark), n=20) for task in streams]
        made = make.side(streams, metrics=[*metrics, Metric(task="all", metric="acc", value=float(mark), group=True)])
        return dataclasses.replace(
            made,
            results=Results(metrics=made.results.metrics, tasks=made.results.tasks, groups={"all": ["one", "two"]}),
        )

    assert {row.outcome for row in compare(both(1), both(0)).scores} == {"different"}


def test_scores_and_samples_of_tasks_that_nobody_recorded_are_compared(make):
    def bare(value):
        made = side(make, rows(make, [1, 0, 0, 1]), value=value)
        return dataclasses.replace(made, results=Results(metrics=made.results.metrics, tasks=[]))

    found = compare(bare(0.5), bare(0.5))

    assert (found.verdict, found.comparability.status) == ("identical", "comparable")
    only_scores = [make.side({}, metrics=[Metric(task="toy", metric="acc", value=0.5)], tasks=[]) for _ in range(2)]
    assert compare(*only_scores).comparability.status == "unknown"


def test_two_empty_files_of_samples_do_not_make_scores_incomparable(make):
    empty = [
        make.side({"toy": []}, metrics=[Metric(task="toy", metric="acc", value=0.5)], tasks=[Task(name="toy")])
        for _ in range(2)
    ]

    assert compare(*empty).comparability.status == "unknown"


# --- hostile lines -----------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lines:
    """A side with lines of samples as they are given."""

    inner: object
    given: list[bytes]

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def lines(self, task):
        return iter(self.given)


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b'{"id":0,"prompt":"\xff"}\n',
        b'{"id":0,"filter":"\xff"}\n',
        b'{"id":0,"scores":{"acc":null}}\n',
        b'{"prompt":1}\n',
        b"[]\n",
        b"",
    ],
)
def test_a_line_that_is_no_sample_is_told_as_what_it_is(make, line):
    with pytest.raises(InvalidRecordError, match=r"samples of `toy` in `[^`]+`, line 1: "):
        compare(make.side(), Lines(inner=make.side(), given=[line]))


@pytest.mark.parametrize("field", ["document_digest", "prompt_digest", "responses_digest", "answer_digest"])
@pytest.mark.parametrize("match", ["id", "document"])
def test_what_stands_for_a_digest_and_is_none_is_compared_as_it_is(make, field, match):
    def with_digest(text):
        line = canonical.line(msgspec.structs.replace(make.sample(0), **{field: text}))
        return Lines(inner=make.side(), given=[line])

    same, other = (
        compare(with_digest("oops"), with_digest(text), Asked(match=match, shown=0)) for text in ("oops", "oh")
    )

    assert same.samples[0].identical == 1
    assert other.samples[0].differing == 1


def test_groups_that_name_each_other_over_and_over_end(make):
    levels = {f"g{n}": [f"g{n + 1}"] * 2 for n in range(60)}
    made = make.side(metrics=[Metric(task="g0", metric="acc", value=value, group=True) for value in (0.5,)])
    a, b = (
        dataclasses.replace(
            made,
            results=Results(
                metrics=[Metric(task="g0", metric="acc", value=value, group=True)],
                tasks=made.results.tasks,
                groups=levels,
            ),
        )
        for value in (0.5, 0.6)
    )

    assert compare(a, b).scores[0].untested is not None


def test_a_metric_of_its_own_for_every_sample_takes_no_more_room_than_a_few(make):
    samples = [msgspec.structs.replace(make.sample(n), scores={f"metric-{n}": 1.0}) for n in range(3000)]

    found = compare(make.side(samples), make.side(samples))

    assert found.samples[0].identical == 3000


def test_what_is_nested_too_deeply_is_told_as_that(make):
    line = b'{"id":0,"document":' + b"[" * 5000 + b"]" * 5000 + b"}\n"

    with pytest.raises(InvalidRecordError, match="nested too deeply") as refused:
        compare(make.side(), Lines(inner=make.side(), given=[line]))
    assert "--task" in refused.value.hint
