"""Every recorded run, against what a person found in its files: `tests/recorded/expected.json`."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from reprokit.bundle.finding import Finding
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import NotScored, as_json
from reprokit.harnesses import table
from reprokit.harnesses.script import Script

RECORDED = Path(__file__).parents[1] / "recorded"
EXPECTED = json.loads((RECORDED / "expected.json").read_text(encoding="utf-8"))
HARNESS_CASES = [case for case in EXPECTED if not case.startswith("script/")]
CLAIMED_ELSEWHERE = {"results", "groups", "group_subtasks", "configs"}


def find(case):
    """Find the one run of a case and its adapter."""
    expected, folder = EXPECTED[case], RECORDED / case
    if expected["harness"] == "script":
        script = Script(folder / expected["results"], [folder / name for name in expected["samples_named"]])
        (run,) = script.find([])
        return script, run
    ((harness, run),) = table.by_files([folder])
    return harness, run


def read_all(case):
    harness, run = find(case)
    reading = harness.read(run)
    rows = {task.name: list(harness.samples(run, task.name)) for task in reading.results.tasks}
    return run, reading, rows


def plain(value):
    return {"not_scored": value.not_scored} if isinstance(value, NotScored) else value


def test_the_table_lists_every_recorded_run_and_nothing_else():
    assert {path.relative_to(RECORDED).as_posix() for path in RECORDED.glob("*/*/*")} == set(EXPECTED)


@pytest.mark.parametrize("case", EXPECTED)
def test_a_recorded_run_is_found_with_its_files(case):
    harness, run = find(case)
    assert harness.name == EXPECTED[case]["harness"]
    assert run.key == EXPECTED[case]["key"]
    assert [str(file) for file in run.files] == EXPECTED[case]["files"]
    assert run.root == RECORDED / case


@pytest.mark.parametrize("case", EXPECTED)
def test_the_head_of_a_recorded_run_is_read(case):
    _, reading, _ = read_all(case)
    version = reading.harness.version
    assert {
        "model": reading.model,
        "started": reading.started,
        "complete": reading.complete,
        "version": version if isinstance(version, str) else None,
    } == {name: EXPECTED[case][name] for name in ("model", "started", "complete", "version")}
    assert reading.harness.version_from == ("claim" if isinstance(version, str) else "nothing")


@pytest.mark.parametrize("case", EXPECTED)
def test_every_metric_of_a_recorded_run_is_read(case):
    _, reading, _ = read_all(case)
    metrics = [[m.task, m.metric, m.filter, plain(m.value), plain(m.stderr)] for m in reading.results.metrics]
    assert metrics == EXPECTED[case]["metrics"]


@pytest.mark.parametrize("case", EXPECTED)
def test_every_sample_of_a_recorded_run_is_read(case):
    _, reading, rows = read_all(case)
    counted = {task: sum(isinstance(row, Sample) for row in found) for task, found in rows.items()}
    assert counted == EXPECTED[case]["samples"]
    assert {task.name: task.samples_saved for task in reading.results.tasks} == counted


@pytest.mark.parametrize("case", EXPECTED)
def test_every_finding_of_a_recorded_run_is_told_once(case):
    _, reading, rows = read_all(case)
    findings = [*reading.findings, *(row for found in rows.values() for row in found if isinstance(row, Finding))]
    assert [[found.code, found.where] for found in findings] == EXPECTED[case]["findings"]
    assert len(set(findings)) == len(findings)


@pytest.mark.parametrize("case", EXPECTED)
def test_no_line_is_dropped(case):
    run, _, rows = read_all(case)
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


@pytest.mark.parametrize("case", HARNESS_CASES)
def test_no_key_of_the_results_is_dropped(case):
    run, reading, _ = read_all(case)
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


@pytest.mark.parametrize("case", HARNESS_CASES)
def test_no_member_of_a_sample_is_dropped(case):
    run, reading, rows = read_all(case)
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
