"""Which of the samples that differ are shown."""

from __future__ import annotations

import msgspec
import pytest

from reprokit.bundle.results import Metric
from reprokit.diff.compare import compare
from reprokit.diff.difference import Asked
from reprokit.diff.samples.choosing import conditions
from reprokit.diff.shown.text import lines
from reprokit.errors import UsageError


@pytest.fixture
def pair(make):
    """Seven samples: 0 lost, 1 won, 2 another response, 3 another prompt, 4 the same, 5 only in a, 6 only in b."""
    base = {number: make.sample(number, acc=float(number != 1)) for number in range(7)}
    after = dict(base)
    after[0] = msgspec.structs.replace(base[0], responses=["no"], answer="no", scores={"acc": 0.0})
    after[1] = msgspec.structs.replace(base[1], answer="yes", scores={"acc": 1.0})
    after[2] = msgspec.structs.replace(base[2], responses=["other words"])
    after[3] = msgspec.structs.replace(base[3], prompt="another", prompt_digest=None)
    metric = [Metric(task="toy", metric="acc", value=0.5, higher_is_better=True)]
    a = make.side([base[number] for number in (0, 1, 2, 3, 4, 5)], metrics=metric)
    b = make.side([after[number] for number in (0, 1, 2, 3, 4, 6)], metrics=metric)
    return a, b


WANTED = {
    (): [0, 1, 2, 5, 6, 3],
    ("right-to-wrong",): [0],
    ("wrong-to-right",): [1],
    ("flipped",): [0, 1],
    ("same-score",): [2, 3],
    ("only-in-a",): [5],
    ("only-in-b",): [6],
    ("first=extraction",): [1],
    ("first=answer",): [1],
    ("changed=answer",): [0, 1],
    ("changed=response", "same-score"): [2],
    ("id=3",): [3],
    ("id=4",): [],
}


@pytest.mark.parametrize("where", sorted(WANTED))
def test_what_is_asked_for_is_shown_and_nothing_else(pair, where):
    (task,) = compare(*pair, Asked(where=list(where))).samples

    assert [change.id for change in task.shown] == WANTED[where]
    assert task.chosen == len(WANTED[where])


def test_missing_samples_are_shown_as_missing(pair):
    (task,) = compare(*pair, Asked(where=["only-in-b"])).samples

    (change,) = task.shown
    assert (change.a, change.first, change.changed) == (None, "other samples", [])
    assert change.b.responses == ["r6"]
    assert "    id 6: only in b" in lines(compare(*pair))


def test_turns_are_told_for_each_sample(pair):
    (task,) = compare(*pair).samples

    assert [change.turned for change in task.shown[:3]] == [{"acc": "right to wrong"}, {"acc": "wrong to right"}, {}]


def test_the_whole_texts_are_shown_with_what_changed_in_them(make):
    words = [f"word{number}" for number in range(80)]
    before, after = " ".join(words), " ".join([*words[:40], "another", *words[41:]])
    sides = [make.side([make.sample(0, response=text)]) for text in (before, after)]

    written = "\n".join(lines(compare(*sides, Asked(where=["id=0"]))))

    assert "[-word40-]{+another+}" in written
    assert "word39" in written
    assert "word10 " not in written


@pytest.mark.parametrize("asked", ["", "lost", "first=model", "changed=", "id", "changed=unknown"])
def test_what_is_no_condition_is_refused_and_those_there_are_named(asked):
    with pytest.raises(UsageError) as refused:
        conditions([asked])

    assert "response" in refused.value.hint or "right-to-wrong" in refused.value.hint
