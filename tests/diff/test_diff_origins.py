"""Where a difference begins: every sample's part is put down to the first stage that differs, and the parts add up."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reprokit.bundle.results import Metric
from reprokit.diff.compare import compare
from reprokit.diff.difference import STAGES
from reprokit.diff.shown.text import lines

CHANGES = {
    "document": {"document": {"question": "another"}, "document_digest": None},
    "prompt": {"prompt": "another", "prompt_digest": None},
    "target": {"target": "another"},
    "response": {"responses": ["another"]},
    "answer": {"answer": "another"},
    "score": {},
}


def side(make, samples):
    values = [sample.scores["acc"] for sample in samples]
    metric = Metric(task="toy", metric="acc", value=float(np.mean(values)), higher_is_better=True)
    return make.side(samples, metrics=[metric])


def changed(sample, *stages, acc):
    """A sample that is another in these stages and got this mark."""
    fields = {name: value for stage in stages for name, value in CHANGES[stage].items()}
    return msgspec.structs.replace(sample, **fields, scores={"acc": float(acc)})


def waterfall(a, b):
    (task,) = compare(a, b).samples
    (found,) = task.waterfalls
    return {step.origin: (step.samples, step.share) for step in found.steps}, found.difference


@pytest.mark.parametrize("stage", STAGES)
def test_a_planted_change_is_put_down_to_its_stage_whatever_follows_from_it(make, stage):
    before = [make.sample(number, acc=1.0) for number in range(20)]
    later = [each for each in STAGES if STAGES.index(each) >= STAGES.index(stage)]
    after = [changed(sample, *later, acc=0) if sample.id in {3, 4, 5} else sample for sample in before]

    steps, difference = waterfall(side(make, before), side(make, after))

    assert steps == {stage: (3, pytest.approx(-0.15))}
    assert difference == pytest.approx(-0.15)


def test_points_are_told_by_where_they_come_from(make):
    before = [make.sample(number, acc=1.0) for number in range(100)]
    after = list(before)
    for number in range(39):
        after[number] = changed(before[number], "answer", "score", acc=0)
    after[50] = changed(before[50], "response", "answer", "score", acc=0)
    after[51] = changed(before[51], "response", acc=1)

    written = lines(compare(side(make, before), side(make, after)))

    assert (
        "  toy acc: of -40.0 points, -39.0 from answer extraction (39 samples), -1.0 from the response (2 samples)"
        in written
    )


def test_what_nobody_saved_is_put_down_to_no_stage(make):
    bare = {"responses": [], "answer": None}
    before = [msgspec.structs.replace(make.sample(number, acc=1.0), **bare) for number in range(4)]
    after = [before[0], *(changed(sample, "score", acc=0) for sample in before[1:])]

    steps, _ = waterfall(side(make, before), side(make, after))

    assert steps == {"unknown": (3, pytest.approx(-0.75))}


def test_other_scores_of_the_same_answers_are_the_scoring_s(make):
    before = [msgspec.structs.replace(make.sample(number, acc=1.0), answer=None) for number in range(4)]
    after = [changed(sample, "score", acc=0) for sample in before]

    steps, _ = waterfall(side(make, before), side(make, after))

    assert steps == {"score": (4, -1.0)}


def test_samples_that_only_one_side_has_explain_the_rest(make):
    before = [make.sample(number, acc=1.0) for number in range(4)]
    after = [changed(before[0], "response", acc=0), *before[1:], make.sample(9, acc=0.0), make.sample(10, acc=0.0)]

    steps, difference = waterfall(side(make, before), side(make, after))

    assert steps["response"] == (1, -0.25)
    assert steps["other samples"] == (2, pytest.approx(-0.25))
    assert difference == pytest.approx(-0.5)


def test_a_score_that_is_no_mean_has_no_waterfall(make):
    def with_score(value, acc):
        return make.side([make.sample(0, acc=acc)], metrics=[Metric(task="toy", metric="acc", value=value)])

    (task,) = compare(with_score(0.3, 1.0), with_score(0.4, 0.0)).samples

    assert task.waterfalls == []
    assert task.first == {"score": 1}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_steps_add_up_to_the_difference_of_the_scores_and_mirror_when_swapped(make, data):
    kinds = st.tuples(st.lists(st.sampled_from(STAGES), max_size=3), st.floats(0, 1), st.floats(0, 1))
    drawn = data.draw(st.lists(kinds, min_size=1, max_size=12))
    lost, new = data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))
    before = [make.sample(number, acc=one) for number, (_, one, _) in enumerate(drawn)]
    after = [changed(sample, *stages, acc=other) for sample, (stages, _, other) in zip(before, drawn, strict=True)]
    before += [make.sample(100 + number, acc=data.draw(st.floats(0, 1))) for number in range(lost)]
    after += [make.sample(200 + number, acc=data.draw(st.floats(0, 1))) for number in range(new)]
    a, b = side(make, before), side(make, after)

    there, back = compare(a, b), compare(b, a)

    row = there.scores[0]
    for found, returned in zip(there.samples[0].waterfalls, back.samples[0].waterfalls, strict=True):
        assert math.fsum(step.share for step in found.steps) == pytest.approx(row.difference, abs=1e-12)
        assert [(step.origin, step.samples, -step.share + 0.0) for step in found.steps] == [
            (step.origin, step.samples, step.share) for step in returned.steps
        ]
