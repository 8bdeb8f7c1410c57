"""Every recorded run, against what a person found in its files: `tests/recorded/expected.json`."""

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from reprokit.bundle.finding import Finding
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import NotScored, as_json
from reprokit.capture.finished.runs import find_runs
from reprokit.capture.outputs import left_behind
from reprokit.consistency import Consistency
from reprokit.errors import NotFoundError
from reprokit.harnesses import table
from reprokit.harnesses.script import Script

RECORDED = Path(__file__).parents[1] / "recorded"
EXPECTED = json.loads((RECORDED / "expected.json").read_text(encoding="utf-8"))
CLAIMED_ELSEWHERE = {"results", "groups", "group_subtasks", "configs"}


@dataclass(frozen=True)
class Recorded:
    """One run of a case: which one it is of how many, and what a person found in it."""

    case: str
    number: int
    of: int
    expected: dict[str, Any]


def runs_of(case, entry):
    """Name every run of a case: the case's name, with a number when the case has several."""
    runs = entry.get("runs", [entry])
    several = len(runs) > 1
    return {
        f"{case}#{number}" if several else case: Recorded(case, number, len(runs), run)
        for number, run in enumerate(runs, start=1)
    }


RUNS = {name: run for case, entry in EXPECTED.items() for name, run in runs_of(case, entry).items()}
HARNESS_RUNS = [name for name in RUNS if not name.startswith("script/")]
WITHOUT_RUNS = [case for case, entry in EXPECTED.items() if entry.get("runs") == []]


def find(name):
    """Find a recorded run and its adapter."""
    recorded, folder = RUNS[name], RECORDED / RUNS[name].case
    if recorded.expected["harness"] == "script":
        expected = recorded.expected
        script = Script(folder / expected["results"], [folder / file for file in expected["samples_named"]])
        (run,) = script.find([])
        return script, run
    found = table.by_files([folder])
    assert len(found) == recorded.of
    return found[recorded.number - 1]


@cache
def read_all(name):
    """Read a recorded run whole, once for all tests: what comes of it is never changed."""
    harness, run = find(name)
    reading = harness.read(run)
    rows = {task.name: list(harness.samples(run, task.name)) for task in reading.results.tasks}
    return run, reading, rows


def plain(value):
    return {"not_scored": value.not_scored} if isinstance(value, NotScored) else value


def test_the_table_lists_every_recorded_run_and_nothing_else():
    assert {path.relative_to(RECORDED).as_posix() for path in RECORDED.glob("*/*/*")} == set(EXPECTED)


@pytest.mark.parametrize("name", RUNS)
def test_a_recorded_run_is_found_with_its_files(name):
    harness, run = find(name)
    assert harness.name == RUNS[name].expected["harness"]
    assert run.key == RUNS[name].expected["key"]
    assert [str(file) for file in run.files] == RUNS[name].expected["files"]
    assert run.root == RECORDED / RUNS[name].case


@pytest.mark.parametrize("name", RUNS)
def test_the_head_of_a_recorded_run_is_read(name):
    _, reading, _ = read_all(name)
    version = reading.harness.version
    assert {
        "model": reading.model,
        "started": reading.started,
        "complete": reading.complete,
        "version": version if isinstance(version, str) else None,
    } == {key: RUNS[name].expected[key] for key in ("model", "started", "complete", "version")}
    assert reading.harness.version_from == ("claim" if isinstance(version, str) else "nothing")


@pytest.mark.parametrize("name", RUNS)
def test_every_metric_of_a_recorded_run_is_read(name):
    _, reading, _ = read_all(name)
    metrics = [[m.task, m.metric, m.filter, plain(m.value), plain(m.stderr)] for m in reading.results.metrics]
    assert metrics == RUNS[name].expected["metrics"]


@pytest.mark.parametrize("name", RUNS)
def test_every_sample_of_a_recorded_run_is_read(name):
    _, reading, rows = read_all(name)
    counted = {task: sum(isinstance(row, Sample) for row in found) for task, found in rows.items()}
    assert counted == RUNS[name].expected["samples"]
    assert {task.name: task.samples_saved for task in reading.results.tasks} == counted


@pytest.mark.parametrize("name", RUNS)
def test_every_finding_of_a_recorded_run_is_told_once(name):
    _, reading, rows = read_all(name)
    findings = [*reading.findings, *(row for found in rows.values() for row in found if isinstance(row, Finding))]
    assert [[found.code, found.where] for found in findings] == RUNS[name].expected["findings"]
    assert len(set(findings)) == len(findings)


@pytest.mark.parametrize("name", RUNS)
def test_what_does_not_fit_together_in_a_recorded_run_is_found_and_nothing_else(name):
    _, reading, rows = read_all(name)
    consistency = Consistency(reading.results)
    for found in rows.values():
        for row in found:
            if isinstance(row, Sample):
                consistency.see(row)
    assert [[found.code, found.where] for found in consistency.findings()] == RUNS[name].expected["consistency"]


@pytest.mark.parametrize("name", [name for name in RUNS if "versions" in RUNS[name].expected])
def test_the_version_of_every_task_and_group_is_read_as_text(name):
    _, reading, _ = read_all(name)
    versions = {metric.task: metric.task_version for metric in reading.results.metrics}
    assert versions == RUNS[name].expected["versions"]
    assert {task.name: task.version for task in reading.results.tasks}.items() <= versions.items()


@pytest.mark.parametrize("case", WITHOUT_RUNS)
def test_what_a_failed_evaluation_leaves_is_no_run_and_is_not_lost(case):
    place = RECORDED / case
    assert table.by_files([place]) == []
    with pytest.raises(NotFoundError) as error:
        find_runs(place)
    assert str(error.value) == EXPECTED[case]["error"].format(place=place)
    remains, too_many = left_behind([place], {}, lambda _: True)
    kept = [] if remains is None else [str((remains.root / file).relative_to(place)) for file in remains.files]
    assert [file for file in kept if file != ".gitkeep"] == EXPECTED[case]["remains"]
    assert too_many == 0


@pytest.mark.parametrize("name", RUNS)
def test_no_line_is_dropped(name):
    run, _, rows = read_all(name)
    raw = sum(1 for path in run.samples for line in _records(run.root / path) if line.strip())
    samples = sum(isinstance(row, Sample) for found in rows.values() for row in found)
    unusable = sum(
        isinstance(row, Finding) and re.search(r": (line|item) \d+: (?!not valid UTF-8)", row.message) is not None
        for found in rows.values()
        for row in found
    )
    assert raw == samples + unusable


def _records(path):
    if path.suffix == ".json":
        return [json.dumps(item) for item in json.loads(path.read_text(encoding="utf-8"))]
    return path.read_bytes().split(b"\n")


@pytest.mark.parametrize("name", HARNESS_RUNS)
def test_no_key_of_the_results_is_dropped(name):
    run, reading, _ = read_all(name)
    document = _whole(run)
    claims, results = reading.harness.claims, reading.results
    for key, value in document.items():
        assert key in CLAIMED_ELSEWHERE or claims[key] == as_json(value)
    for task, config in document.get("configs", {}).items():
        assert {each.name: each.config for each in results.tasks}[task] == as_json(config)
    assert results.groups == {
        group: members for group, members in document.get("group_subtasks", {}).items() if members
    }
    for task, row in document.get("results", {}).items():
        for key, value in row.items():
            assert _stands_somewhere(task, key, as_json(value), reading), (task, key)


def _whole(run):
    if run.results is None:
        return {}
    try:
        return json.loads((run.root / run.results).read_text(encoding="utf-8"))
    except ValueError:
        return {}


def _stands_somewhere(task, key, value, reading):
    if key == " ":
        return True
    if key in reading.harness.claims.get("results", {}).get(task, {}):
        return reading.harness.claims["results"][task][key] == value
    name, _, extraction = key.partition(",")
    metric, _, way = name.partition("_stderr")
    mine = [
        each
        for each in reading.results.metrics
        if each.task == task and each.metric == metric and (each.filter or "") == extraction
    ]
    if name == metric:
        return value in [plain(each.value) for each in mine] + [each.extra for each in mine]
    errors = [each.other_stderr.get(way[1:]) if way else each.stderr for each in mine]
    return ({"not_scored": value} if value == "N/A" else value) in [plain(error) for error in errors]


@pytest.mark.parametrize("name", HARNESS_RUNS)
def test_no_member_of_a_sample_is_dropped(name):
    run, reading, rows = read_all(name)
    for task, path in reading.sample_files.items():
        samples = [row for row in rows[task] if isinstance(row, Sample)]
        records = _usable(run.root / path)
        assert len(samples) == len(records)
        for sample, record in zip(samples, records, strict=True):
            held = msgspec.to_builtins(sample)
            for key, value in record.items():
                assert _is_held(key, value, held), (task, record["doc_id"], key)


def _usable(path):
    records = []
    for line in path.read_bytes().split(b"\n"):
        try:
            record = as_json(json.loads(line.decode("utf-8", errors="replace")))
        except ValueError:
            continue
        if isinstance(record, dict) and "doc_id" in record:
            records.append(record)
    return records


def _is_held(key, value, held):
    renamed = {"doc_id": "id", "doc": "document", "target": "target", "filter": "filter", "input": "prompt"}
    if key in renamed:
        return held[renamed[key]] == value
    if key == "metrics":
        return set(held["scores"]) == set(value)
    if key in {"resps", "filtered_resps"}:
        saved = held["responses" if key == "resps" else "answer"]
        return _without_lists(value) == _without_lists(saved)
    if key == "arguments":
        asked = [held["prompt"], held["extra"].get("choices"), held["extra"].get("arguments")]
        return set(_without_lists(value)) == set(_without_lists(asked)) - {"null"}
    if key in held["extra"]:
        return held["extra"][key] == value
    return held["scores"][key] == ({"not_scored": "null"} if value is None else value)


def _without_lists(value):
    """List the leaves of nested lists and tables, for comparing what two layouts hold."""
    if isinstance(value, dict) and all(key.startswith(("gen_args_", "arg_")) for key in value):
        value = list(value.values())
    if isinstance(value, list):
        return [leaf for item in value for leaf in _without_lists(item)]
    return [json.dumps(value, sort_keys=True)]
