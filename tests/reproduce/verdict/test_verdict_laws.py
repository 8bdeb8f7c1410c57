"""Laws of the ladder, for any two runs."""

from __future__ import annotations

import dataclasses

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from reprokit.bundle.results import Metric
from reprokit.bundle.values import NotScored
from reprokit.diff.compare import compare
from reprokit.diff.difference import Asked
from reprokit.reproduce.verdict.ladder import LADDER, agreement, at_least_equivalent
from reprokit.reproduce.verdict.repeats import repeated, smoke_repeated

SOME = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SCORES = st.one_of(
    st.sampled_from([0.0, 1.0, 0.5, True]), st.floats(-1e3, 1e3), st.builds(NotScored, not_scored=st.just("nan"))
)
TASKS = st.sets(st.sampled_from(["one", "two"]), max_size=2)
ASKED = st.builds(Asked, margin=st.sampled_from([None, 0.05, 0.4]), shown=st.just(0))
HIGHEST = {
    "identical": "identical samples",
    "same results": "identical samples",
    "same scores": "identical scores",
    "equivalent": "equivalent",
    "inconclusive": "inconclusive",
    "different": "different",
    "not comparable": "not comparable",
}


def samples(make):
    return st.builds(
        make.sample,
        st.integers(0, 9),
        scores=st.dictionaries(st.sampled_from(["acc", "f1"]), SCORES, max_size=2),
        filter=st.sampled_from([None, "strict"]),
        epoch=st.integers(1, 2),
        responses=st.sampled_from([[], ["a"], ["b"]]),
        answer=st.sampled_from([None, "a", "b"]),
    )


def is_a_number(score):
    return not isinstance(score, NotScored)


@st.composite
def runs(draw, make):
    """Any run: scores that are the means of its samples, and some that are not."""
    rows = {task: draw(st.lists(samples(make), max_size=8)) for task in sorted(draw(TASKS))}
    honest = [metric for task, each in rows.items() for metric in make.means(task, each)]
    odd = draw(
        st.lists(
            st.builds(
                Metric,
                task=st.sampled_from(["one", "two", "quiet"]),
                metric=st.sampled_from(["acc", "bleu"]),
                value=SCORES,
                n=st.sampled_from([None, 4, 9]),
                stderr=st.sampled_from([None, 0.1]),
            ),
            max_size=2,
        )
    )
    return make.run(rows, metrics=[*honest, *odd])


def again(run):
    """The same content as another bundle."""
    return dataclasses.replace(run, identity="sha256:" + "e" * 64)


@SOME
@given(data=st.data(), asked=ASKED)
def test_swapping_original_and_reproduction_gives_the_same_rung(make, data, asked):
    one, other = data.draw(runs(make)), data.draw(runs(make))

    assert agreement(compare(one, other, asked)).agreement == agreement(compare(other, one, asked)).agreement


@SOME
@given(data=st.data(), asked=ASKED)
def test_a_rung_is_never_above_the_verdict_of_the_comparison(make, data, asked):
    one, other = data.draw(runs(make)), data.draw(st.one_of(st.just(None), runs(make)))
    found = compare(one, again(one) if other is None else other, asked)

    assert LADDER.index(agreement(found).agreement) >= LADDER.index(HIGHEST[found.verdict])


@SOME
@given(data=st.data())
def test_a_run_that_saved_everything_and_is_the_same_has_identical_samples(make, data):
    ids = data.draw(st.lists(st.integers(0, 50), min_size=1, max_size=10, unique=True))
    rows = [make.sample(each, scores={"acc": data.draw(SCORES.filter(is_a_number))}) for each in ids]

    found = agreement(compare(make.run({"toy": rows}), make.run({"toy": data.draw(st.permutations(rows))})))

    assert found.agreement == "identical samples"


@SOME
@given(data=st.data(), asked=ASKED)
def test_equal_runs_are_equal_whatever_was_saved(make, data, asked):
    one = data.draw(runs(make))
    found = compare(one, again(one), asked)
    assume(found.verdict != "not comparable")

    rung = agreement(found).agreement

    assert at_least_equivalent(rung) or (rung == "different" and not found.scores) or rung == "not comparable"


@SOME
@given(data=st.data(), asked=ASKED)
def test_fewer_samples_than_the_original_are_never_at_least_equivalent(make, data, asked):
    original = data.draw(runs(make))
    whole = [task for task in original.tasks() if original.samples[task]]
    assume(whole)
    task = data.draw(st.sampled_from(whole))
    rows = original.samples[task]
    lost = data.draw(st.sets(st.integers(0, len(rows) - 1), min_size=1))
    kept = [row for at, row in enumerate(rows) if at not in lost]
    new = again(dataclasses.replace(original, samples={**original.samples, task: kept}))

    assert not at_least_equivalent(agreement(compare(original, new, asked)).agreement)
    assert not at_least_equivalent(repeated(original, [again(original), new], asked).agreed.agreement)


@SOME
@given(data=st.data(), asked=ASKED)
def test_a_faithful_run_over_any_choice_is_never_worse_than_equal(make, data, asked):
    ids = data.draw(st.lists(st.integers(0, 50), min_size=1, max_size=12, unique=True))
    rows = [make.sample(each, scores={"acc": data.draw(SCORES.filter(is_a_number))}) for each in ids]
    chosen = data.draw(st.sets(st.sampled_from(ids), min_size=1))
    more = chosen | data.draw(st.sets(st.sampled_from(ids)))
    new = make.run({"toy": [row for row in rows if row.id in more]})

    found = smoke_repeated(make.run({"toy": rows}), [new], {"toy": chosen}, asked)

    assert found.agreed.agreement == "identical samples"


@SOME
@given(data=st.data(), asked=ASKED)
def test_repeats_reach_no_higher_rung_than_their_pool(make, data, asked):
    original = data.draw(runs(make))
    repeats = data.draw(st.lists(st.one_of(st.just(again(original)), runs(make)), min_size=1, max_size=3))

    found = repeated(original, repeats, asked)

    assert LADDER.index(found.agreed.agreement) >= LADDER.index(agreement(found.difference).agreement)
    assert all(rate.between is None or 0 <= rate.between <= 1 for rate in found.flips)
    assert all(rate.from_original is None or 0 <= rate.from_original <= 1 for rate in found.flips)
