"""How often a verdict is wrong, by simulation: never more often than one time in twenty, but for the simulation's own error.

Verdicts on right and wrong depend on the samples only by how many turned each way: each such count goes through the whole
comparison once, and stands for every draw of it. Other marks go through all steps from the marks to the rung, and some
of the draws through the whole comparison to show that the rung is the same.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from msgspec.structs import replace

from reprokit.diff.compare import compare
from reprokit.diff.difference import (
    Asked,
    Comparability,
    Compared,
    Difference,
    Mark,
    ScoreRow,
    TaskComparability,
    TaskSamples,
)
from reprokit.diff.scores.outcome import outcome
from reprokit.diff.scores.told import Scaled, told
from reprokit.diff.setup.facts import Weighed
from reprokit.diff.statistics.holm import holm
from reprokit.diff.statistics.inference import infer
from reprokit.diff.verdict import Grounds, headline, judge
from reprokit.reproduce.verdict.choosing import choose
from reprokit.reproduce.verdict.ladder import agreement, at_least_equivalent
from reprokit.reproduce.verdict.repeats import repeated, smoke_repeated, together

DRAWS = 10_000
ALPHA = 0.05
QUIET = Asked(shown=0)


def at_most(draws):
    return ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / draws)


def turning(before, after, correlation):
    """How likely a sample turns right, or wrong, between two runs that are right so often and this much alike."""
    both = before * after + correlation * math.sqrt(before * (1 - before) * after * (1 - after))
    assert max(0.0, before + after - 1) - 1e-9 <= both <= min(before, after) + 1e-9
    return max(after - both, 0.0), max(before - both, 0.0)


def counts(before, after, correlation, *, n, draws, seed):
    """How many of `n` samples turn right, and wrong, in each of so many pairs of runs."""
    won, lost = turning(before, after, correlation)
    return np.random.default_rng(seed).multinomial(n, [won, lost, 1 - won - lost], draws)[:, :2]


def share(rungs, *wanted):
    return sum(rung in wanted for rung in rungs) / len(rungs)


# --- from marks to a rung, without files -------------------------------------------------------------------------------


def a_row(task, before, after, asked):
    values = float(np.mean(before)), float(np.mean(after))
    found = told(Scaled(inferred=infer(before, after, margin=asked.margin), scale=1.0))
    return ScoreRow(
        task=task,
        metric="acc",
        a=Mark(value=values[0]),
        b=Mark(value=values[1]),
        difference=values[1] - values[0],
        same=values[0] == values[1],
        inference=found,
    )


def difference_of(rows: Sequence[ScoreRow], asked: Asked) -> Difference:
    """Adjust, judge and sum up scores of samples that both runs have."""
    adjusted = holm([row.inference.p for row in rows])
    rows = [replace(row, inference=replace(row.inference, p_adjusted=p)) for row, p in zip(rows, adjusted, strict=True)]
    rows = [replace(row, outcome=outcome(row, asked)) for row in rows]
    tasks = list(dict.fromkeys(row.task for row in rows))
    comparability = Comparability(
        status="comparable",
        reason="",
        tasks=[TaskComparability(task=task, status="comparable", reason="") for task in tasks],
    )
    samples = [
        TaskSamples(
            task=task,
            saved_in="both",
            compared=9,
            identical=0,
            differing=9,
            only_in_a=0,
            only_in_b=0,
            changed={"response": 9, "score": 9},
        )
        for task in tasks
    ]
    verdict, reason = judge(
        Grounds(
            same_bundle=False,
            with_results=2,
            comparability=comparability,
            set_up=Weighed(),
            scores=rows,
            samples=samples,
            asked=asked,
        )
    )
    side = Compared(bundle_id="x", identity="x", harness="lm_eval", has_results=True)
    return Difference(
        a=side,
        b=side,
        asked=asked,
        verdict=verdict,
        reason=reason,
        headline=headline(verdict, reason),
        comparability=comparability,
        scores=rows,
        samples=samples,
    )


def rung_of(marks, asked):
    """The rung of tasks with these marks before and after."""
    return agreement(difference_of([a_row(*task, asked) for task in marks], asked)).agreement


# --- right and wrong ---------------------------------------------------------------------------------------------------

N = 40
MARGIN = 0.2


@pytest.fixture(scope="module")
def rung(make):
    """Gives the rung of a comparison in which so many samples turn right, and so many wrong."""

    @cache
    def of(won, lost, margin):
        before, after = (make.marks(toy=marks.tolist()) for marks in spread(won, lost))
        return agreement(compare(before, after, replace(QUIET, margin=margin))).agreement

    return of


def spread(won, lost):
    """Marks of which so many turn, however many of `N` that is."""
    before = np.zeros(N)
    before[N - lost :] = 1.0
    after = np.zeros(N)
    after[:won] = 1.0
    return before, after


@pytest.mark.parametrize(
    ("base", "correlation"), [(0.5, 0.0), (0.5, 0.7), (0.8, 0.0), (0.8, 0.7), (0.98, 0.0), (0.98, 0.7), (0.1, 0.3)]
)
def test_runs_of_the_same_model_are_called_different_no_more_often_than_it_says(rung, base, correlation):
    drawn = counts(base, base, correlation, n=N, draws=DRAWS, seed=1)

    assert share([rung(int(won), int(lost), None) for won, lost in drawn], "different") <= at_most(DRAWS)


@pytest.mark.parametrize(
    ("before", "after", "correlation"),
    [
        (0.4, 0.6, 0.0),
        (0.4, 0.6, 0.66),
        (0.6, 0.4, 0.66),
        (0.8, 1.0, 0.0),
        (1.0, 0.8, 0.0),
        (0.75, 0.95, 0.3),
        (0.95, 0.75, 0.3),
        (0.05, 0.25, 0.3),
    ],
)
def test_runs_that_are_a_margin_apart_are_called_equivalent_no_more_often_than_it_says(
    rung, before, after, correlation
):
    drawn = counts(before, after, correlation, n=N, draws=DRAWS, seed=2)

    assert share([rung(int(won), int(lost), MARGIN) for won, lost in drawn], "equivalent") <= at_most(DRAWS)


def test_a_verdict_is_not_kept_from_being_wrong_by_saying_nothing(rung):
    same = [rung(int(won), int(lost), MARGIN) for won, lost in counts(0.9, 0.9, 0.7, n=N, draws=1000, seed=3)]
    apart = [rung(int(won), int(lost), MARGIN) for won, lost in counts(0.9, 0.5, 0.2, n=N, draws=1000, seed=4)]

    assert sum(map(at_least_equivalent, same)) / 1000 > 0.9
    assert share(apart, "different") > 0.9


def test_both_ways_to_a_rung_are_the_same(rung):
    for won, lost in itertools.product(range(0, 20, 3), range(0, 20, 4)):
        if won != lost:
            assert rung(won, lost, MARGIN) == rung_of([("toy", *spread(won, lost))], Asked(margin=MARGIN))


# --- marks in between --------------------------------------------------------------------------------------------------

CHANGES = np.array([[1.0, 0.0], [0.5, 0.0], [0.5, 0.5], [0.0, 0.5], [0.0, 1.0]])
OF_THE_SAME = [0.05, 0.1, 0.7, 0.1, 0.05]
OF_A_WORSE_ONE = [0.07, 0.2, 0.65, 0.06, 0.02]


@cache
def rung_of_grades(times, margin):
    """The rung when so many samples change from right to wrong, half right to wrong, not at all, and back."""
    return rung_of([("toy", *np.repeat(CHANGES, times, axis=0).T)], Asked(margin=margin))


def graded(chances, seed):
    return [tuple(times) for times in np.random.default_rng(seed).multinomial(N, chances, DRAWS).tolist()]


def test_graded_runs_of_the_same_model_are_called_different_no_more_often_than_it_says():
    rungs = [rung_of_grades(times, None) for times in graded(OF_THE_SAME, seed=5)]

    assert 0.5 * ALPHA <= share(rungs, "different") <= at_most(DRAWS)


def test_graded_runs_that_are_a_margin_apart_are_called_equivalent_no_more_often_than_it_says():
    margin = -float(OF_A_WORSE_ONE @ (CHANGES[:, 1] - CHANGES[:, 0]))
    rungs = [rung_of_grades(times, margin) for times in graded(OF_A_WORSE_ONE, seed=6)]

    assert 0.5 * ALPHA <= share(rungs, "equivalent") <= at_most(DRAWS)


def continuous(draws, seed, shift=0.0):
    """Marks of ten samples that are more and less hard, with chance of heavy tails in two runs."""
    generator = np.random.default_rng(seed)
    hard = generator.beta(2, 2, (draws, 10))
    noise = generator.laplace(0.0, 0.1, (2, draws, 10))
    return zip(hard + noise[0], hard + noise[1] + shift, strict=True)


def test_marks_of_any_size_are_judged_as_rightly():
    asked, draws = Asked(margin=0.1), 1000
    same = [rung_of([("toy", *pair)], QUIET) for pair in continuous(draws, seed=7)]
    apart = [rung_of([("toy", *pair)], asked) for pair in continuous(draws, seed=8, shift=0.1)]

    assert share(same, "different") <= at_most(draws)
    assert share(apart, "equivalent") <= at_most(draws)


def test_marks_of_any_size_come_to_the_same_rung_through_files(make):
    for margin, (before, after) in zip(itertools.cycle([None, 0.15]), continuous(100, seed=9, shift=0.1), strict=False):
        asked = Asked(shown=0, margin=margin)
        whole = compare(make.marks(toy=before.tolist()), make.marks(toy=after.tolist()), asked)

        assert agreement(whole).agreement == rung_of([("toy", before, after)], asked)


# --- several scores ----------------------------------------------------------------------------------------------------

SIZES = {"one": 20, "two": 40, "three": 30}


def several(draws, seed, apart=0.0):
    """How many samples turn under two scores of each of three tasks, the second score much like the first.

    Under the first task's first score the second run is worse by `apart`.
    """
    generator = np.random.default_rng(seed)
    turns = []
    for task, n in SIZES.items():
        worse = apart if task == "one" else 0.0
        before, after = generator.random((draws, n)) < 0.85, generator.random((draws, n)) < 0.85 - worse
        otherwise = generator.random((draws, n)) < 0.1
        for one, other in ((before, after), (before ^ otherwise, after ^ otherwise)):
            won, lost = (~one & other).sum(axis=1), (one & ~other).sum(axis=1)
            turns.append([(task, n, *each) for each in zip(won.tolist(), lost.tolist(), strict=True)])
    return zip(*turns, strict=True)


@cache
def known_row(task, n, won, lost, margin):
    before, after = np.zeros(n), np.zeros(n)
    before[n - lost :], after[:won] = 1.0, 1.0
    return a_row(task, before, after, Asked(margin=margin))


def rung_of_several(scores, asked):
    return agreement(difference_of([known_row(*score, asked.margin) for score in scores], asked)).agreement


def test_of_several_scores_none_is_called_different_more_often_than_it_says():
    rungs = [rung_of_several(scores, QUIET) for scores in several(DRAWS, seed=10)]

    assert share(rungs, "different") <= at_most(DRAWS)


def test_several_scores_of_which_one_is_a_margin_apart_are_called_equivalent_no_more_often_than_it_says():
    rungs = [rung_of_several(scores, Asked(margin=0.3)) for scores in several(DRAWS, seed=11, apart=0.3)]

    assert share(rungs, "equivalent") <= at_most(DRAWS)


# --- a choice of samples -----------------------------------------------------------------------------------------------

FEW = 250


def smoked(make, after, margin, seed):
    """The rung of a run over 25 of 60 samples."""
    generator = np.random.default_rng(seed)
    before = generator.random(60) < 0.85
    original = make.marks(toy=before.astype(float).tolist())
    ids = choose(original, 25, seed)
    marks = {each: float(generator.random() < after) for each in ids["toy"]}
    new = make.run({"toy": [make.sample(each, scores={"acc": mark}) for each, mark in marks.items()]})
    return smoke_repeated(original, [new], ids, Asked(shown=0, margin=margin)).agreed.agreement


def test_a_run_over_a_choice_of_samples_is_judged_as_rightly(make):
    same = [smoked(make, 0.85, None, seed) for seed in range(FEW)]
    apart = [smoked(make, 0.55, 0.3, seed) for seed in range(FEW)]

    assert share(same, "different") <= at_most(FEW)
    assert share(apart, "equivalent") <= at_most(FEW)


# --- repeats -----------------------------------------------------------------------------------------------------------


def drawn_again(before, after, *, n, repeats, seed):
    """Marks of an original and of so many repeats."""
    generator = np.random.default_rng(seed)
    original = (generator.random(n) < before).astype(float)
    return original, (generator.random((repeats, n)) < after).astype(float)


def rung_together(original, repeats, asked):
    pooled = difference_of([a_row("toy", original, repeats.mean(axis=0), asked)], asked)
    alone = [difference_of([known_pair(original.tobytes(), each.tobytes(), asked.margin)], asked) for each in repeats]
    return together(pooled, alone).agreement


def known_pair(original, repeat, margin):
    before, after = (np.frombuffer(each, dtype=np.float64) for each in (original, repeat))
    return known_row("toy", len(before), int((before < after).sum()), int((before > after).sum()), margin)


@pytest.mark.parametrize(("base", "n", "repeats"), [(0.9, 20, 5), (0.5, 20, 3), (0.95, 40, 8)])
def test_repeats_of_the_same_model_are_called_different_no_more_often_than_it_says(base, n, repeats):
    draws = 600
    rungs = [rung_together(*drawn_again(base, base, n=n, repeats=repeats, seed=seed), QUIET) for seed in range(draws)]

    assert share(rungs, "different") <= at_most(draws)


@pytest.mark.parametrize(("before", "after", "n", "repeats"), [(0.93, 0.98, 150, 8), (0.8, 1.0, 25, 3)])
def test_repeats_a_margin_apart_are_called_equivalent_no_more_often_than_it_says(before, after, n, repeats):
    draws, asked = 400, Asked(margin=abs(after - before))
    rungs = [
        rung_together(*drawn_again(before, after, n=n, repeats=repeats, seed=seed), asked) for seed in range(draws)
    ]

    assert share(rungs, "equivalent") <= at_most(draws)


def test_repeats_come_to_the_same_rung_through_files(make):
    for seed in range(24):
        asked = Asked(shown=0, margin=0.25 if seed % 2 else None)
        original, repeats = drawn_again(0.9, 0.8, n=20, repeats=3, seed=seed)
        found = repeated(make.marks(toy=original.tolist()), [make.marks(toy=each.tolist()) for each in repeats], asked)

        assert found.agreed.agreement == rung_together(original, repeats, asked)
