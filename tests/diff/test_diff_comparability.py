"""Whether scores may be held against each other, and that no more is claimed than is known."""

from __future__ import annotations

import msgspec
import pytest

from reprokit.bundle.results import Metric, Task
from reprokit.diff.compare import compare


def judged(a, b):
    (task,) = compare(a, b).comparability.tasks
    return task


def rows(make, count=4, **changes):
    return [msgspec.structs.replace(make.sample(number), **changes) for number in range(count)]


def a_task(**changes):
    return [Task(name="toy", version="1.0", n_shot=0, config={"metric_list": [{"metric": "acc"}]}, **changes)]


def test_the_same_items_asked_in_the_same_way_are_comparable(make):
    task = judged(make.side(rows(make)), make.side(rows(make, responses=["other"])))

    assert (task.status, task.in_common, task.differs, task.unknown) == ("comparable", 4, [], [])
    assert task.reason == "4 samples in common"


def test_fewer_samples_are_partly_comparable_and_counted(make):
    task = judged(make.side(rows(make, 4)), make.side(rows(make, 5)))

    assert (task.status, task.in_common, task.differs) == ("partly", 4, ["samples"])
    assert task.reason == "4 samples in common, 1 in only one of them"


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"prompt_digest": "sha256:" + "0" * 64}, "prompts"),
        ({"prompt": "another"}, "prompts"),
        ({"target": "another"}, "targets"),
    ],
)
def test_other_prompts_or_targets_are_partly_comparable(make, change, part):
    task = judged(make.side(rows(make)), make.side(rows(make, **change)))

    assert (task.status, task.differs) == ("partly", [part])
    assert task.reason == f"4 samples in common, {part} differ in 4"


def test_some_other_documents_are_partly_comparable_and_all_are_not(make):
    other = {"document_digest": "sha256:" + "0" * 64, "prompt": "another", "prompt_digest": None}
    some = [*rows(make)[:3], *rows(make, **other)[3:]]

    assert judged(make.side(rows(make)), make.side(some)).status == "partly"
    assert judged(make.side(rows(make)), make.side(rows(make, **other))).status == "not"


def test_no_common_sample_is_not_comparable(make):
    other = [make.sample(f"q{number}") for number in range(4)]

    found = compare(make.side(rows(make)), make.side(other))

    assert found.comparability.status == "not"
    assert found.verdict == "not comparable"


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"n_shot": 5}, "shots"),
        ({"version": "2.0"}, "version"),
        ({"samples_available": 9}, "samples available"),
        ({"config": {"metric_list": [{"metric": "f1"}]}}, "definition (metric_list)"),
    ],
)
def test_another_definition_of_the_task_is_partly_comparable(make, changes, part):
    (task,) = a_task()
    a, b = (make.side(rows(make), tasks=[each]) for each in (task, msgspec.structs.replace(task, **changes)))

    found = judged(a, b)

    assert (found.status, found.differs) == ("partly", [part])


def test_another_model_noted_in_the_definition_is_no_other_task(make):
    def side(model):
        return make.side(rows(make), tasks=[Task(name="toy", config={"metadata": {"pretrained": model}})])

    assert judged(side("one"), side("two")).status == "comparable"


def test_addresses_in_a_definition_are_no_other_definition(make):
    def side(address):
        return make.side(rows(make), tasks=[Task(name="toy", config={"doc_to_visual": f"<function f at {address}>"})])

    assert judged(side("0x7f94642d84a0"), side("0x7f94642d9999")).status == "comparable"


@pytest.mark.parametrize(
    ("bare", "part"),
    [
        ({"document": None, "document_digest": None}, "documents"),
        ({"prompt": None, "prompt_digest": None}, "prompts"),
    ],
)
def test_without_documents_or_prompts_it_is_not_known(make, bare, part):
    task = judged(make.side(rows(make, **bare)), make.side(rows(make, **bare)))

    assert (task.status, task.unknown, task.differs) == ("unknown", [part], [])
    assert task.reason == f"4 samples in common; not compared: {part}"


def test_without_targets_the_questions_are_still_the_same(make):
    task = judged(make.side(rows(make, target=None)), make.side(rows(make, target=None)))

    assert (task.status, task.unknown) == ("comparable", ["targets"])


def test_without_samples_it_is_not_known(make):
    metrics = [Metric(task="toy", metric="acc", value=0.5)]

    def side(**changes):
        return make.side({}, metrics=metrics, tasks=a_task(**changes))

    assert judged(side(), side()).status == "unknown"
    assert judged(side(samples_claimed=4), side(samples_claimed=5)).differs == ["number of samples"]
    assert judged(side(), make.side(rows(make), tasks=a_task())).reason == "only one of them saved samples"


def test_a_task_of_one_side_only_is_not_comparable_and_the_rest_is(make):
    a = make.side({"toy": rows(make)})
    b = make.side({"toy": rows(make), "extra": [make.sample(1, task="extra")]})

    found = compare(a, b)

    assert {task.task: task.status for task in found.comparability.tasks} == {"extra": "not", "toy": "comparable"}
    assert found.comparability.status == "partly"
    assert ("tasks", "extra", "added") in {(c.area, c.name, c.kind) for c in found.setup}


def test_runs_of_different_tasks_are_not_comparable(make):
    found = compare(make.side({"one": rows(make)}), make.side({"two": rows(make)}))

    assert found.verdict == "not comparable"
    assert found.reason == "they have no task in common"
