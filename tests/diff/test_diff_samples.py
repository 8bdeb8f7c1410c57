"""Samples: pairing, flips, repeats, what is quoted, and memory."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tracemalloc

import msgspec
import pytest

from reprokit.bundle.results import Metric
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import NotScored
from reprokit.diff.compare import compare
from reprokit.diff.difference import Asked


def only(a, b, **more):
    (task,) = compare(a, b, **more).samples
    return task


def replaced(sample, **changes):
    return msgspec.structs.replace(sample, **changes)


def test_the_id_one_and_the_id_one_as_text_are_two_samples(make):
    task = only(make.side([make.sample(1)]), make.side([make.sample("1")]))

    assert (task.compared, task.only_in_a, task.only_in_b) == (0, 1, 1)


def test_epochs_and_filters_tell_samples_apart(make):
    base = make.sample(1)
    rows = [base, replaced(base, epoch=2), replaced(base, filter="strict"), replaced(base, filter="")]
    task = only(make.side(rows), make.side([*rows[:3], replaced(rows[3], answer="other")]))

    assert (task.compared, task.identical) == (4, 3)
    assert (task.shown[0].filter, task.shown[0].epoch) == ("", 1)


def test_repeated_samples_are_counted_and_compared_in_their_order(make):
    one, two = make.sample(1, response="x"), make.sample(1, response="y")
    a, b = make.side([one, two, two]), make.side([one, one])

    task = only(a, b)

    assert (task.repeated_in_a, task.repeated_in_b) == (2, 1)
    assert (task.compared, task.identical, task.only_in_a) == (2, 1, 1)
    assert [(change.occurrence, change.a.answer, change.b and change.b.answer) for change in task.shown] == [
        (2, "y", "x"),
        (3, "y", None),
    ]


def test_repeated_text_ids_are_counted_too(make):
    assert only(make.side([make.sample("q"), make.sample("q")]), make.side([make.sample("q")])).repeated_in_a == 1


@pytest.mark.parametrize(("higher", "lost", "won"), [(True, 2, 1), (None, 2, 1), (False, 1, 2)])
def test_flips_are_counted_in_the_sense_of_the_metric(make, higher, lost, won):
    def side(*marks):
        metric = Metric(task="toy", metric="acc", value=0.5, higher_is_better=higher)
        return make.side([make.sample(n, acc=mark) for n, mark in enumerate(marks)], metrics=[metric])

    (flips,) = only(side(1, True, 0.0, 1), side(0, 0, 1.0, 1)).flips

    assert (flips.metric, flips.right_to_wrong, flips.wrong_to_right) == ("acc", lost, won)


@pytest.mark.parametrize("between", [0, 1, 2])
def test_a_metric_with_any_mark_between_right_and_wrong_has_no_flips(make, between):
    def side(mark):
        return make.side([make.sample(number, acc=0.5 if number == between else mark) for number in range(3)])

    assert only(side(1), side(0)).flips == []


def test_what_was_not_scored_is_no_flip_and_a_changed_score(make):
    a = make.side([make.sample(0, acc=1), make.sample(1, acc=1)])
    b = make.side([make.sample(0, acc=NotScored(not_scored="nan")), make.sample(1, acc=0)])

    task = only(a, b)

    assert task.changed == {"score": 2}
    assert [(f.right_to_wrong, f.wrong_to_right) for f in task.flips] == [(1, 0)]


def test_scores_that_are_no_number_are_equal_to_themselves(make):
    def side(mark):
        return make.side([make.sample(0, acc=mark)])

    assert only(side(float("nan")), side(float("nan"))).identical == 1
    assert only(side(float("nan")), side(NotScored(not_scored="nan"))).identical == 1
    assert only(side(float("nan")), side(float("inf"))).differing == 1


def test_a_metric_that_only_one_side_gave_a_sample_is_a_changed_score(make):
    a, b = make.side([make.sample(0)]), make.side([replaced(make.sample(0), scores={"acc": 1.0, "f1": 1.0})])

    assert only(a, b).changed == {"score": 1}


def test_a_stage_that_neither_saved_is_unknown_and_no_difference(make):
    bare = replaced(make.sample(0), document=None, document_digest=None)

    task = only(make.side([bare]), make.side([bare]))

    assert (task.identical, task.unknown, task.known_by_one) == (1, {"document": 1}, {})


def test_a_stage_that_only_one_saved_is_neither_equal_nor_different(make):
    task = only(make.side([make.sample(0)]), make.side([replaced(make.sample(0), answer=None)]))

    assert (task.identical, task.differing, task.known_by_one) == (0, 0, {"answer": 1})


def test_a_digest_stands_in_for_a_text_that_was_kept_out(make):
    full, private = make.sample(0), replaced(make.sample(0), document=None)

    assert only(make.side([full]), make.side([private])).identical == 1
    other = replaced(private, document_digest="sha256:" + "0" * 64)
    assert only(make.side([full]), make.side([other])).changed == {"document": 1}


def test_what_a_harness_saved_beside_the_stages_is_not_compared(make):
    a, b = (make.side([replaced(make.sample(0), extra={"seconds": seconds})]) for seconds in (1, 2))

    assert only(a, b).identical == 1


def test_changed_scores_are_quoted_first_and_whole_and_no_more_than_asked_for(make):
    long = "word " * 10_000
    a = make.side([make.sample(number) for number in range(50)])
    rows = [make.sample(number, response=long, acc=0 if number in {30, 40} else 1) for number in range(50)]

    task = only(a, make.side(reversed(rows)), asked=Asked(shown=4))

    assert [change.id for change in task.shown] == [30, 40, 0, 1]
    assert task.shown[0].b.responses == [long]
    assert task.differing == 50
    assert only(a, make.side(rows), asked=Asked(shown=0)).shown == []
    assert len(only(a, make.side(rows)).shown) == 20


def test_filters_one_after_the_other_pair_up_when_one_run_has_more_samples(make):
    def rows(count):
        return [replaced(make.sample(n), filter=name) for name in ("strict", "flexible") for n in range(count)]

    task = only(make.side(rows(40)), make.side(rows(50)))

    assert (task.compared, task.identical, task.only_in_a, task.only_in_b) == (80, 80, 0, 20)


# --- memory ------------------------------------------------------------------------------------------------------------

WITHIN = 8 << 20
FEW, MANY, SOME = 2_000, 200_000, 5_000
WAITING = 700

# A process of its own: the most memory a process ever had is known only of the whole of it.
MEASURE = """
import resource, sys
from types import SimpleNamespace
from reprokit.bundle.sample import Sample
from reprokit.bundle import canonical
from reprokit.diff.difference import Asked
from reprokit.diff.samples.comparing import compare_samples
from reprokit.diff.tasks import PairedTask

def many(count):
    for number in range(count):
        yield canonical.line(Sample(task="toy", id=number, prompt="Question: " + "word " * 40 + str(number),
                     responses=[f"answer {number}"], scores={"acc": float(number % 2)}))

def side(count):
    return SimpleNamespace(
        results=SimpleNamespace(metrics=[]), record=SimpleNamespace(harness=SimpleNamespace(name="toy")),
        tasks=lambda: ["toy"], lines=lambda task: many(count),
    )

count = int(sys.argv[1])
task = compare_samples(side(count), side(count), PairedTask(a="toy", b="toy"), Asked())
print(task.counts.identical, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def most_memory(count):
    command = [sys.executable, "-c", MEASURE, str(count)]
    identical, used = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(identical) == count
    return int(used)


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss is Linux's")
def test_memory_does_not_grow_with_samples_in_the_same_order():
    assert most_memory(MANY) < most_memory(FEW) + WITHIN


def traced(make, name, turn):
    """Compare some samples with the same in another order; gives the counts and the most bytes that were held."""

    def stream(order):
        for number in order:
            prompt = "Question: " + "word " * 400 + str(number)
            yield Sample(task="toy", id=name(number), prompt=prompt, answer="A", scores={"acc": float(number % 2)})

    streams = (lambda: stream(range(SOME)), lambda: stream(turn(range(SOME))))
    one, other = (replaced_streams(make.side({}), {"toy": each}, str(number)) for number, each in enumerate(streams))
    tracemalloc.start()
    try:
        return only(one, other), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def replaced_streams(side, streams, identity):
    return dataclasses.replace(side, streams=streams, identity=identity)


@pytest.mark.parametrize("turn", [iter, reversed])
@pytest.mark.parametrize("name", [int, str])
def test_a_sample_waits_in_a_few_hundred_bytes_whatever_its_texts(make, name, turn):
    task, used = traced(make, name, turn)

    assert task.identical == SOME
    assert used < SOME * WAITING
