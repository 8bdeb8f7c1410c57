"""A run over some of the samples, held against the same samples of the original."""

from __future__ import annotations

import hashlib
import json

import msgspec
import numpy as np
import pytest

from reprokit.bundle.results import Metric
from reprokit.diff.compare import compare
from reprokit.diff.difference import Asked
from reprokit.errors import InvalidRecordError, UsageError
from reprokit.reproduce.verdict.choosing import choose
from reprokit.reproduce.verdict.margins import require_margins
from reprokit.reproduce.verdict.repeats import smoke_repeated
from reprokit.reproduce.verdict.subset import subset


def rows(make, ids, share=0.5, seed=0, **more):
    generator = np.random.default_rng(seed)
    return [make.sample(each, scores={"acc": float(generator.random() < share)}, **more) for each in ids]


# --- choosing ----------------------------------------------------------------------------------------------------------


def test_the_same_seed_chooses_the_same_samples_in_any_order_of_the_file(make):
    whole = rows(make, range(100))

    chosen = choose(make.run({"toy": whole}), 10, seed=7)

    assert chosen == choose(make.run({"toy": whole[::-1]}), 10, seed=7)
    assert len(set(chosen["toy"])) == 10
    assert chosen["toy"] == sorted(chosen["toy"])
    assert chosen != choose(make.run({"toy": whole}), 10, seed=8)


def test_the_choice_is_the_smallest_digests_of_seed_task_and_id(make):
    def place(each):
        return hashlib.sha256(json.dumps([7, "toy", each], separators=(",", ":")).encode()).digest()

    chosen = choose(make.run({"toy": rows(make, [*range(50), *map(str, range(50))])}), 9, seed=7)

    assert set(chosen["toy"]) == set(sorted([*range(50), *map(str, range(50))], key=place)[:9])


def test_every_sample_is_chosen_as_often_as_any_other(make):
    run = make.run({"toy": rows(make, range(20))})

    times = np.bincount([each for seed in range(2000) for each in choose(run, 5, seed)["toy"]], minlength=20)

    assert np.all(np.abs(times - 500) < 5 * np.sqrt(2000 * 0.25 * 0.75))


def test_answer_extractions_and_repeats_of_an_item_are_one_choice(make):
    repeated = [
        make.sample(each, epoch=epoch, filter=name)
        for each in range(6)
        for epoch in (1, 2)
        for name in ("strict", "loose")
    ]

    chosen = choose(make.run({"toy": repeated, "empty": []}), 4, seed=1)

    assert list(chosen) == ["toy"]
    assert len(set(chosen["toy"])) == 4


def test_a_task_with_few_samples_gives_them_all(make):
    assert choose(make.run({"toy": rows(make, ["b", 2, "a", 1])}), 9, seed=0) == {"toy": [1, 2, "a", "b"]}


def test_no_samples_at_all_are_refused(make):
    with pytest.raises(UsageError, match="0 samples of each task are none"):
        choose(make.run({"toy": rows(make, [1])}), 0, seed=0)


# --- the subset --------------------------------------------------------------------------------------------------------


def test_a_faithful_run_over_a_choice_has_identical_samples(make):
    whole = rows(make, range(100))
    original = make.run({"toy": whole})
    ids = choose(original, 10, seed=1)
    new = make.run({"toy": [row for row in whole[::-1] if row.id in ids["toy"]]})

    found = smoke_repeated(original, [new], ids)

    assert (found.agreed.agreement, found.left_out) == ("identical samples", [])
    assert compare(original, new).verdict == "different"


def test_what_a_run_does_beyond_what_it_was_asked_for_does_not_count(make):
    whole = rows(make, range(100))
    new = make.run({"toy": [*whole[:10], *rows(make, range(10, 40), share=0.0)], "more": rows(make, [1], task="more")})

    found = smoke_repeated(make.run({"toy": whole}), [new], {"toy": range(10)})

    assert found.agreed.agreement == "identical samples"
    (row,) = found.difference.scores
    assert (row.a.n, row.b.n, row.a.value) == (10, 10, np.mean([sample.scores["acc"] for sample in whole[:10]]))


def test_what_a_run_leaves_undone_is_a_difference(make):
    whole = rows(make, range(100))

    found = smoke_repeated(make.run({"toy": whole}), [make.run({"toy": whole[:9]})], {"toy": range(10)})

    assert found.agreed.agreement == "different"
    assert "1 sample in only one of them" in found.agreed.reason


def test_a_run_without_an_asked_task_is_not_comparable(make):
    whole = rows(make, range(10))

    found = smoke_repeated(
        make.run({"toy": whole, "more": whole}), [make.run({"toy": whole})], {"toy": [1], "more": [1]}
    )

    assert found.agreed.agreement == "not comparable"


def test_ids_are_what_they_are_typed(make):
    whole = rows(make, [1, "1", 2, "2"])
    both = subset(make.run({"toy": whole}), [make.run({"toy": whole})], {"toy": ["1", 2]})

    assert [msgspec.json.decode(line)["id"] for line in both.original.lines("toy")] == ["1", 2]


def test_everything_but_identity_results_and_samples_is_as_in_the_whole_run(make):
    original, new = make.run({"toy": rows(make, range(4))}), make.run({"toy": rows(make, range(4))})
    both = subset(original, [new], {"toy": [0, 1]})

    assert both.original.info == original.info
    assert both.original.record is original.record
    assert (both.original.environment, both.original.sources) == (original.environment, original.sources)
    identities = {both.original.identity, both.new[0].identity, original.identity, new.identity}
    assert len(identities) == 4
    assert subset(original, [new], {"toy": [0, 2]}).original.identity not in identities


def test_scores_that_are_no_means_are_left_out_of_both_and_named(make):
    whole = rows(make, range(40))
    extra = [
        Metric(task="toy", metric="bleu", value=31.7),
        Metric(task="all", metric="acc", value=0.5, group=True),
        Metric(task="quiet", metric="acc", value=0.5),
    ]
    original = make.run({"toy": whole}, metrics=[*make.means("toy", whole), *extra])
    some = whole[:10]
    new = make.run({"toy": some}, metrics=[*make.means("toy", some), *extra])

    found = smoke_repeated(original, [new], {"toy": range(10)}, Asked(margins={"bleu": 1.0, "acc": 0.1}))

    assert {(each.task, each.metric): each.reason for each in found.left_out} == {
        ("toy", "bleu"): "it is not the mean of its samples' scores",
        ("all", "acc"): "the score of a group is over all samples of its tasks",
        ("quiet", "acc"): "no sample of its task was asked for",
    }
    assert [(row.task, row.metric) for row in found.difference.scores] == [("toy", "acc")]
    assert found.agreed.agreement == "identical samples"


def test_a_margin_for_no_metric_is_still_refused_and_can_be_before_anything_runs(make):
    run = make.run({"toy": rows(make, range(4))})
    asked = Asked(margins={"blue": 1.0})

    with pytest.raises(UsageError, match="there is no such metric"):
        smoke_repeated(run, [run], {"toy": [1]}, asked)
    with pytest.raises(UsageError, match="there is no such metric"):
        require_margins(run, asked)
    require_margins(run, Asked(margins={"acc": 0.1}))


def test_repeats_over_some_samples_are_judged_over_these(make):
    whole = rows(make, range(60), share=0.8)
    bleu = Metric(task="toy", metric="bleu", value=31.7)
    original = make.run({"toy": whole}, metrics=[*make.means("toy", whole), bleu])
    ids = choose(original, 30, seed=3)
    again = [rows(make, ids["toy"], share=0.8, seed=seed) for seed in (4, 5, 6)]
    asked = Asked(margins={"bleu": 1.0, "acc": 0.5})

    found = smoke_repeated(original, [make.run({"toy": each}) for each in again], ids, asked)

    assert found.agreed.agreement == "equivalent"
    assert [each.metric for each in found.left_out] == ["bleu"]
    assert [row.inference.n for row in found.difference.scores] == [30]
    assert [(spread.metric, len(spread.repeats)) for spread in found.spreads] == [("acc", 3)]


def test_a_score_that_only_the_original_has_is_a_difference(make):
    whole = rows(make, range(10))

    found = smoke_repeated(make.run({"toy": whole}), [make.run({"toy": whole}, metrics=[])], {"toy": range(5)})

    assert found.agreed.agreement == "different"
    assert found.agreed.reason.endswith("`toy` acc is only in the original")


def test_a_new_score_that_belies_its_samples_is_not_excused(make):
    whole = rows(make, range(10))
    new = make.run({"toy": whole[:5]}, metrics=[Metric(task="toy", metric="acc", value=0.123456)])

    assert smoke_repeated(make.run({"toy": whole}), [new], {"toy": range(5)}).agreed.agreement == "different"


def test_scores_in_per_cent_stay_in_per_cent(make):
    whole = [make.sample(each, scores={"acc": float(each % 4 == 0)}) for each in range(40)]
    original, new = make.run({"toy": whole}, times=100), make.run({"toy": whole[1:4]}, times=100)

    (row,) = smoke_repeated(original, [new], {"toy": range(1, 4)}).difference.scores
    (other,) = smoke_repeated(original, [make.run({"toy": whole[:5]}, times=100)], {"toy": range(5)}).difference.scores

    assert (row.a.value, row.b.value) == (0.0, 0.0)
    assert (other.a.value, other.b.value) == (40.0, 40.0)


def test_each_of_several_answer_extractions_has_its_own_score(make):
    def both(strict):
        return [
            make.sample(each, filter=name, scores={"acc": float(value)})
            for each in range(40)
            for name, value in (("strict", strict(each)), ("loose", 1))
        ]

    original = make.run({"toy": both(lambda each: each % 2)})
    new = make.run({"toy": [row for row in both(lambda each: each % 2) if row.id < 10]})

    found = smoke_repeated(original, [new], {"toy": range(10)})

    assert {(row.filter, row.a.value, row.a.n) for row in found.difference.scores} == {
        ("strict", 0.5, 10),
        ("loose", 1.0, 10),
    }
    assert found.agreed.agreement == "identical samples"


def test_a_metric_without_a_mark_in_the_subset_is_left_out(make):
    whole = [make.sample(each, scores={"acc": 1.0} | ({"f1": 0.5} if each > 5 else {})) for each in range(10)]
    run = make.run({"toy": whole})

    found = smoke_repeated(run, [make.run({"toy": whole[:5]})], {"toy": range(5)})

    assert [(each.metric, each.reason) for each in found.left_out] == [
        ("f1", "no sample that was asked for has a mark under it")
    ]
    assert found.agreed.agreement == "identical samples"


def test_a_damaged_line_of_samples_is_refused(make):
    class Damaged(type(make.run({}))):
        def lines(self, task):
            yield from [b'{"id":1}', b"{"]

    run = make.run({"toy": rows(make, [1])})
    damaged = Damaged(samples=run.samples, results=run.results, identity="other")

    with pytest.raises(InvalidRecordError, match="line 2"):
        smoke_repeated(run, [damaged], {"toy": [1]})
