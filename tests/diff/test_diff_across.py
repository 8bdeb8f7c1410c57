"""Two harnesses on the same items: which sample is which, and what can be compared."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from reprokit.bundle.record import Harness
from reprokit.bundle.results import Metric
from reprokit.bundle.sample import Sample
from reprokit.diff.compare import compare
from reprokit.diff.difference import Asked
from reprokit.diff.samples.harmony import text_of
from reprokit.diff.shown.text import lines
from reprokit.errors import UsageError


def documents(count=6):
    return [{"question": f"q{number}", "answer": "AB"[number % 2]} for number in range(count)]


@pytest.fixture
def harness(make):
    """Makes a side of a harness of that name, with samples of its one task and the mean of their marks."""

    def side(name, rows, *, task="toy", filter_=None, **tasks):
        streams = tasks or {task: rows}
        metrics = [
            Metric(
                task=each, metric="acc", filter=filter_, value=float(np.mean([row.scores["acc"] for row in samples]))
            )
            for each, samples in streams.items()
        ]
        record = make.record(harness=Harness(name=name, version="1", version_from="environment"))
        return make.side(streams, metrics=metrics, record=record)

    return side


def said(number, document, answer, *, task="toy", acc=1.0, **more):
    return Sample(
        task=task,
        id=number,
        document=document,
        target="A",
        responses=[answer],
        answer=answer,
        scores={"acc": acc},
        **more,
    )


def test_items_are_found_by_their_documents_whatever_their_ids(harness):
    a = harness("lm_eval", [said(n, each, "A") for n, each in enumerate(documents())])
    b = harness(
        "script",
        [said(f"item-{n}", each, "A" if n else "B", acc=float(n > 0)) for n, each in enumerate(documents())][::-1],
    )

    found = compare(a, b)

    (task,) = found.samples
    assert (task.compared, task.identical, task.matched_by) == (6, 5, {"document": 6})
    assert task.first == {"response": 1}
    assert (task.shown[0].id, task.shown[0].id_in_b) == (0, "item-0")
    assert "100% matched: 6 by document" in found.comparability.tasks[0].reason
    assert found.scores[0].inference.n == 6


def test_items_without_a_document_in_common_are_found_by_id_and_their_documents_stay_unknown(harness):
    one = documents()
    a = harness("lm_eval", [said(n, each, "A") for n, each in enumerate(one)])
    b = harness("script", [said(n, {"text": one[n]["question"]}, "A") for n in range(6)])

    found = compare(a, b)

    (task,) = found.samples
    assert task.matched_by == {"id": 6}
    assert task.unknown["document"] == 6
    assert "document" not in task.changed
    assert found.comparability.tasks[0].status == "unknown"


def test_where_both_write_documents_alike_others_are_other_questions(harness):
    one = documents()
    a = harness("lm_eval", [said(n, each, "A") for n, each in enumerate(one)])
    b = harness("script", [said(n, one[n] if n < 2 else {"question": f"other {n}"}, "A") for n in range(6)])

    (task,) = compare(a, b).samples

    assert task.matched_by == {"document": 2, "id": 4}
    assert (task.changed["document"], task.other_questions) == (4, 4)


def test_two_tasks_without_a_document_in_common_are_not_thought_to_be_one(harness):
    a = harness("lm_eval", [said(n, each, "A") for n, each in enumerate(documents())], task="arc")
    b = harness("script", [said(n, {"other": n}, "A", task="hellaswag") for n in range(6)], task="hellaswag")

    assert compare(a, b).verdict == "not comparable"


def test_answer_extractions_of_other_names_are_the_same_when_that_is_said(harness):
    rows = documents()
    two = [said(n, each, "A", filter=name) for name in ("strict", "flexible") for n, each in enumerate(rows)]
    a = harness("lm_eval", two, filter_="strict")
    b = harness("script", [said(n, each, "A") for n, each in enumerate(rows)])

    assert compare(a, b).samples[0].compared == 0
    found = compare(a, b, Asked(filters={"strict": None}))
    assert (found.samples[0].compared, found.samples[0].only_in_a) == (6, 6)
    assert found.scores[0].in_b.filter is None


def test_a_document_that_stands_twice_tells_nothing(harness):
    twice = documents(2) * 2
    a = harness("lm_eval", [said(n, each, "A") for n, each in enumerate(twice)])
    b = harness("script", [said(n, each, "A") for n, each in enumerate(twice)])

    assert compare(a, b).samples[0].matched_by == {"id": 4}


def test_the_only_filter_of_each_is_the_same_one(harness):
    a = harness("lm_eval", [said(n, each, "A", filter="none") for n, each in enumerate(documents())], filter_="none")
    b = harness("script", [said(n, each, "A") for n, each in enumerate(documents())])

    found = compare(a, b)

    assert found.samples[0].compared == 6
    (row,) = found.scores
    assert (row.filter, row.in_b.filter, row.same) == ("none", None, True)


def test_the_only_task_of_each_is_the_same_one(harness):
    a = harness("lm_eval", [said(n, each, "A") for n, each in enumerate(documents())], task="toy_mc")
    b = harness("script", [said(n, each, "A", task="default") for n, each in enumerate(documents())], task="default")

    found = compare(a, b)

    (task,) = found.comparability.tasks
    assert (task.task, task.task_in_b) == ("toy_mc", "default")
    assert found.scores[0].in_b.task == "default"
    assert found.verdict == "same results"
    back = compare(b, a)
    assert (back.samples[0].task, back.samples[0].task_in_b) == ("default", "toy_mc")


def test_tasks_of_other_names_are_the_same_when_that_is_said(harness):
    rows = [said(n, each, "A") for n, each in enumerate(documents())]
    a = harness("lm_eval", [], one=rows, two=rows)
    b = harness("script", [], eins=rows, zwei=rows)

    assert compare(a, b).verdict == "not comparable"
    found = compare(a, b, Asked(renamed={"one": "eins", "two": "zwei"}))
    assert [(row.task, row.in_b.task) for row in found.scores] == [("one", "eins"), ("two", "zwei")]
    assert all(task.compared == 6 for task in found.samples)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (Asked(renamed={"none": "toy"}), "there is no task `none` in the first bundle"),
        (Asked(renamed={"toy": "none"}), "there is no task `none` in the second bundle"),
        (Asked(tasks=["none"]), "there is no task `none` in either bundle"),
    ],
)
def test_a_task_that_is_not_there_is_refused_and_the_others_named(make, asked, message):
    with pytest.raises(UsageError, match=message) as refused:
        compare(make.side(), make.side(), asked)

    assert "`toy`" in refused.value.hint


def test_only_the_named_tasks_are_compared(harness):
    rows = [said(n, each, "A") for n, each in enumerate(documents())]
    a, b = (harness("lm_eval", [], one=rows, two=rows) for _ in range(2))

    found = compare(a, b, Asked(tasks=["two"]))

    assert {row.task for row in found.scores} == {task.task for task in found.samples} == {"two"}
    assert [task.task for task in found.comparability.tasks] == ["two"]


def test_items_of_one_harness_are_found_by_document_when_that_is_asked_for(harness):
    a = harness("lm_eval", [said(n, each, "A") for n, each in enumerate(documents())])
    b = harness("lm_eval", [said(n + 50, each, "A") for n, each in enumerate(documents())])

    assert compare(a, b).samples[0].compared == 0
    assert compare(a, b, Asked(match="document")).samples[0].matched_by == {"document": 6}


def test_what_harnesses_write_in_other_forms_is_the_same_text():
    same = ["Paris", " Paris\n", ["Paris"], [["Paris "]], {"content": "Paris"}, [{"role": "user", "content": "Paris"}]]
    assert {text_of(value) for value in same} == {"Paris"}
    assert text_of([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]) == "a\nb"
    assert text_of(1) == text_of("1") == text_of(1.0) == "1"
    for value in (None, True, [], {}, ["a", "b"], [[-1.5, False], [-2.5, True]]):
        assert text_of(value) is None


def test_forms_that_come_down_to_no_text_are_not_compared(harness):
    likelihoods = [[-1.5, False], [-2.5, True]]
    rows = [said(n, each, "A") for n, each in enumerate(documents())]
    a = harness("lm_eval", [msgspec.structs.replace(row, responses=likelihoods, answer=likelihoods) for row in rows])

    (task,) = compare(a, harness("script", rows)).samples

    assert (task.differing, task.known_by_one["response"], task.known_by_one["answer"]) == (0, 6, 6)


def test_the_page_says_how_items_were_matched(harness):
    a = harness("lm_eval", [said(n, each, "A") for n, each in enumerate(documents())])
    b = harness("script", [said(n, each, "A") for n, each in enumerate(documents(8))])

    written = lines(compare(a, b))

    assert any("6 samples in common (75% matched: 6 by document), 2 in only one of them" in line for line in written)
