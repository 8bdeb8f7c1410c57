"""Results and samples as people write them by hand."""

import json

import pytest

from reprokit.bundle.finding import Finding
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import NotScored
from reprokit.harnesses.script import Script


def a_script(folder, results=None, name="toy.json", **files):
    if results is not None:
        (folder / name).write_text(results if isinstance(results, str) else json.dumps(results))
    paths = []
    for stem, lines in files.items():
        path = folder / f"{stem}.jsonl"
        path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
        paths.append(path)
    script = Script(folder / name if results is not None else None, paths)
    (run,) = script.find([])
    return script, run


def metrics(folder, results, name="toy.json"):
    script, run = a_script(folder, results, name)
    return [(m.task, m.metric, m.filter, m.value, m.stderr, m.n) for m in script.read(run).results.metrics]


def samples(folder, lines, results=None, task="toy"):
    script, run = a_script(folder, results, toy=lines)
    return [row for row in script.samples(run, task) if isinstance(row, Sample)]


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ({"acc": 0.5}, [("toy", "acc", None, 0.5, None, None)]),
        ({"acc": True, "n": 3}, [("toy", "acc", None, True, None, 3)]),
        ({"acc,strict": 0.5, "acc_stderr,strict": 0.1}, [("toy", "acc", "strict", 0.5, 0.1, None)]),
        ({"acc": {"value": 0.5, "stderr": 0.1, "n": 9}}, [("toy", "acc", None, 0.5, 0.1, 9)]),
        (
            {"a": {"acc": 1, "n": 2}, "b": {"f1": 0.5}},
            [("a", "acc", None, 1, None, 2), ("b", "f1", None, 0.5, None, None)],
        ),
        ({"results": {"acc": 0.5}, "n": 4}, [("toy", "acc", None, 0.5, None, 4)]),
        ({"results": {"a": {"acc": 0.5}}, "n": {"a": 4}}, [("a", "acc", None, 0.5, None, 4)]),
        ([{"metric": "acc", "value": 0.5}], [("toy", "acc", None, 0.5, None, None)]),
        ({"results": [{"task": "a", "metric": "acc", "value": 0.5, "n": 1}]}, [("a", "acc", None, 0.5, None, 1)]),
        ('{"acc": NaN}', [("toy", "acc", None, NotScored(not_scored="nan"), None, None)]),
        ({"acc": [1, 2]}, [("toy", "acc", None, NotScored(not_scored="a structure"), None, None)]),
        ({}, []),
        ([], []),
    ],
)
def test_results_are_read_in_every_form(tmp_path, results, expected):
    assert metrics(tmp_path, results) == expected


@pytest.mark.parametrize("name", ["results.json", "metrics.json", "scores.json"])
def test_a_file_whose_name_says_nothing_is_the_task_script(tmp_path, name):
    assert metrics(tmp_path, {"acc": 1}, name)[0][0] == "script"


def test_what_a_row_says_besides_is_kept(tmp_path):
    row = {"task": "a", "metric": "acc", "value": 1, "n_shot": 2, "version": 3, "higher_is_better": False, "who": "me"}
    script, run = a_script(tmp_path, [row])
    reading = script.read(run)
    (metric,) = reading.results.metrics
    assert (metric.n_shot, metric.task_version, metric.higher_is_better) == (2, "3", False)
    assert reading.harness.claims == {"results": {"a": {"acc": {"who": "me"}}}}


def test_text_among_the_metrics_and_all_said_about_the_run_become_claims(tmp_path):
    document = {"results": {"acc": 1, "note": "by hand"}, "model": "a/b", "started": 0, "seed": 7}
    script, run = a_script(tmp_path, document)
    reading = script.read(run)
    assert reading.harness.claims == {"model": "a/b", "started": 0, "seed": 7, "results": {"toy": {"note": "by hand"}}}
    assert reading.started == "1970-01-01T00:00:00Z"
    assert reading.model == "b"
    assert reading.subject.models[0].tasks == ["toy"]


@pytest.mark.parametrize("started", ["2026-11-23T00:00:00", "soon", [1], True, 1e99])
def test_a_start_without_a_zone_is_not_known(tmp_path, started):
    script, run = a_script(tmp_path, {"acc": 1, "started": started})
    assert script.read(run).started is None


@pytest.mark.parametrize("results", ["", "{", "3", '"text"', "[" * 5000])
def test_results_that_cannot_be_read_are_a_finding(tmp_path, results):
    script, run = a_script(tmp_path, results)
    reading = script.read(run)
    assert [(found.code, found.where) for found in reading.findings] == [("W302", "harness/toy.json")]
    assert not reading.complete


def test_a_row_that_names_no_metric_is_a_finding(tmp_path):
    script, run = a_script(tmp_path, [{"table": 5, "task": "a"}, 3, {"metric": "acc", "value": 1, "task": 4}])
    assert [found.code for found in script.read(run).findings] == ["W302"] * 3


def test_the_names_that_people_use_are_understood(tmp_path):
    (sample,) = samples(
        tmp_path,
        [
            {
                "doc_id": 5,
                "question": "q",
                "label": "l",
                "prediction": "p",
                "extracted": "e",
                "correct": True,
                "repeat": 2,
                "filter": "f",
                "x": 1,
            }
        ],
    )
    assert (sample.id, sample.prompt, sample.target, sample.responses, sample.answer) == (5, "q", "l", ["p"], "e")
    assert (sample.epoch, sample.filter, sample.scores, sample.extra) == (2, "f", {"correct": True}, {"x": 1})
    assert sample.prompt_digest is not None
    assert sample.document_digest is None


def test_a_name_that_is_already_taken_is_kept_as_extra(tmp_path):
    (sample,) = samples(tmp_path, [{"id": 1, "doc_id": 2, "prompt": "a", "input": "b", "output": "c", "response": "d"}])
    assert (sample.id, sample.prompt, sample.responses) == (1, "a", ["d"])
    assert sample.extra == {"doc_id": 2, "input": "b", "output": "c"}


def test_a_sample_without_a_key_is_known_by_its_place(tmp_path):
    assert [sample.id for sample in samples(tmp_path, [{"input": "a"}, "", {"input": "b"}])] == [0, 2]


def test_scores_are_tables_marks_and_whatever_the_results_name(tmp_path):
    lines = [{"id": 1, "scores": {"a": 1, "b": [2]}, "acc": "N/A", "bleu": 0.3, "other": 0.4}]
    (sample,) = samples(tmp_path, lines, {"bleu": 0.3})
    assert sample.scores == {
        "a": 1,
        "b": NotScored(not_scored="a structure"),
        "acc": NotScored(not_scored="N/A"),
        "bleu": 0.3,
    }
    assert sample.extra == {"scores": {"b": [2]}, "other": 0.4}


def test_samples_without_a_task_belong_to_the_only_one(tmp_path):
    script, run = a_script(tmp_path, {"sums": {"acc": 1, "n": 2}}, predictions=[{"id": 1}, {"id": 2}])
    reading = script.read(run)
    assert [(task.name, task.samples_saved) for task in reading.results.tasks] == [("sums", 2)]
    assert reading.complete


def test_samples_in_several_files_are_all_read(tmp_path):
    script, run = a_script(tmp_path, {"sums": {"acc": 1, "n": 3}}, one=[{"id": 1}, {"id": 2}], two=[{"id": 3}])
    assert [sample.id for sample in script.samples(run, "sums")] == [1, 2, 3]
    assert script.read(run).complete


def test_fewer_samples_than_claimed_make_a_run_incomplete(tmp_path):
    script, run = a_script(tmp_path, {"acc": 1, "n": 3}, toy=[{"id": 1}])
    reading = script.read(run)
    assert [(found.code, found.where) for found in reading.findings] == [("W304", "toy")]
    assert not reading.complete


def test_samples_alone_are_a_run_without_results(tmp_path):
    script, run = a_script(tmp_path, None, toy=[{"id": 1}])
    reading = script.read(run)
    assert [(found.code, found.where) for found in reading.findings] == [("W301", "harness/toy.jsonl")]
    assert [(task.name, task.samples_saved) for task in reading.results.tasks] == [("toy", 1)]
    assert not reading.complete


def test_a_damaged_line_is_told_with_one_task_only(tmp_path):
    script, run = a_script(tmp_path, None, toy=["broken", {"id": 1, "task": "b"}, "broken", {"id": 1, "task": "a"}])
    told = {task: sum(isinstance(row, Finding) for row in script.samples(run, task)) for task in ("a", "b", "toy")}
    assert told == {"a": 0, "b": 2, "toy": 0}


def test_the_same_sample_twice_is_the_next_epoch_unless_it_says_which(tmp_path):
    script, run = a_script(tmp_path, None, toy=[{"id": 1}, {"id": 1}, {"id": 2, "epoch": 1}, {"id": 2, "epoch": 2}])
    *found, finding = script.samples(run, "toy")
    assert [(sample.id, sample.epoch) for sample in found] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert finding.code == "W315"


def test_an_epoch_that_is_named_twice_stays_as_it_is_for_the_check_of_samples_to_tell(tmp_path):
    script, run = a_script(tmp_path, None, toy=[{"id": 1, "epoch": 2}, {"id": 1, "epoch": 2}])
    assert [(row.id, row.epoch) for row in script.samples(run, "toy")] == [(1, 2), (1, 2)]
