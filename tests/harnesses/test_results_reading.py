"""What the tables of a results file become: metrics, claims, subjects, names of files."""

import json
import math
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.bundle.values import NotScored, Unknown, as_json
from reprokit.harnesses.found_files import sample_files
from reprokit.harnesses.lm_eval import LmEval
from reprokit.harnesses.lmms_eval import LmmsEval
from reprokit.harnesses.loose_json import DamagedError, decode
from reprokit.harnesses.metric_table import BLANK, NO_METRICS, About, task_metrics
from reprokit.harnesses.model_names import arguments, models, short

COMMIT = "0123456789abcdef0123456789abcdef01234567"

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
names = st.sampled_from(
    ["acc", "f1", "acc_stderr", "acc_stderr_clt", "f1_stderr", "acc_stderr_stderr", "alias", "_stderr", " "]
)
keys = st.one_of(names, st.builds("{},{}".format, names, st.sampled_from(["none", "strict", ""])))


@given(row=st.dictionaries(keys, values, max_size=8))
def test_every_key_of_a_row_ends_up_in_exactly_one_place(row):
    row = as_json(row)
    read = task_metrics("t", row, About())
    errors = sum((metric.stderr is not None) + len(metric.other_stderr) for metric in read.metrics)
    blank = row.get(BLANK) == BLANK
    assert len(read.metrics) + errors + len(read.details) + blank == len(row)


@given(value=values)
def test_any_value_can_be_written_again_once_it_went_through_as_json(value):
    text = json.dumps(value)
    decoded = decode(text.encode()).value
    assert as_json(decoded) == decoded
    assert json.loads(json.dumps(decoded, allow_nan=False)) == decoded


def test_half_a_surrogate_pair_is_mended_and_a_whole_one_is_kept():
    assert decode(rb'"a\ud800b \ud83d\ude00"').value == "a\N{REPLACEMENT CHARACTER}b \N{GRINNING FACE}"
    assert decode(rb'{"\udc00": 1}').value == {"\N{REPLACEMENT CHARACTER}": 1}


@pytest.mark.parametrize("data", [b"", b"{", b'"\xff', b"[" * 100_000, b"9" * 5000, b"nul", b"\x00"])
def test_what_is_no_json_is_damaged(data):
    with pytest.raises(DamagedError):
        decode(data)


def test_standard_errors_go_to_their_metric():
    row = {
        "acc,none": 0.5,
        "acc_stderr,none": "N/A",
        "acc_stderr_clt,none": 0.1,
        "acc_stderr,strict": 0.2,
        "x_stderr": 1,
    }
    read = task_metrics("t", row, About(n=3))
    first, second, third = read.metrics
    assert (first.metric, first.filter, first.value, first.n) == ("acc", "none", 0.5, 3)
    assert first.stderr == NotScored(not_scored="N/A")
    assert first.other_stderr == {"clt": 0.1}
    assert (second.metric, second.filter, second.value) == ("acc_stderr", "strict", 0.2)
    assert (third.metric, third.filter) == ("x_stderr", None)


def test_a_metric_that_was_not_computed_is_told():
    row = as_json(
        {"a,none": math.nan, "b,none": "N/A", "c,none": None, "d,none": math.inf, "bypass,none": 999, "e": [1]}
    )
    read = task_metrics("t", row, About())
    assert [found.message.split("`")[1] for found in read.findings] == ["a,none", "b,none", "c,none", "bypass,none"]
    assert {found.code for found in read.findings} == {"W308"}
    assert {found.where for found in read.findings} == {"t"}
    assert [metric.extra for metric in read.metrics] == [None, None, None, None, 999, [1]]


def test_what_is_no_metric_is_kept_as_a_detail():
    row = {
        "alias": "A",
        "name": "t",
        "sample_len": 3,
        "sample_count": {"acc,none": 2},
        "paired_baseline": "b",
        "acc,none": 1,
    }
    read = task_metrics("t", row, About(n=3, sample_counts=row["sample_count"]))
    assert set(read.details) == {*NO_METRICS, "paired_baseline"}
    assert read.metrics[0].n == 2


@given(
    tasks=st.lists(
        st.text(min_size=1, max_size=30) | st.sampled_from(["a/b", "a_b", "A_b", "..", "x" * 300, "x" * 301]),
        unique=True,
    )
)
def test_every_task_has_a_safe_sample_file_of_its_own(tasks):
    files = sample_files(task for task in tasks if not any("\ud800" <= character <= "\udfff" for character in task))
    lowered = [file.lower() for file in files.values()]
    assert len(set(lowered)) == len(lowered)
    for file in files.values():
        name = file.removeprefix("samples/")
        assert set(name) <= set(string.ascii_letters + string.digits + "_.-")
        assert not name.startswith((".", "-"))
        assert len(name) < 128


def test_a_plain_task_name_is_its_file_name():
    assert sample_files(["toy_mc", "mmlu.a-b"]) == {
        "toy_mc": "samples/toy_mc.jsonl",
        "mmlu.a-b": "samples/mmlu.a-b.jsonl",
    }


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a=1,b=x/y", {"a": "1", "b": "x/y"}),
        ("a=1,2,b={'k': 'v=w'}", {"a": "1,2", "b": "{'k': 'v=w'}"}),
        ("", {}),
        (None, {}),
        ({"a": 1}, {"a": 1}),
    ],
)
def test_model_arguments_are_read_from_text_or_a_table(written, expected):
    assert arguments(written) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("toy-org/tiny-gpt2", "tiny-gpt2"),
        ("../../models/tiny-gpt2/", "tiny-gpt2"),
        ("dummy", "dummy"),
        (f"/cache/hub/models--toy-org--tiny-gpt2/snapshots/{COMMIT}", "tiny-gpt2"),
        ("/", "unknown"),
    ],
)
def test_a_model_has_a_short_name_for_people(name, expected):
    assert short(name) == expected


def revision(**config):
    (model, *_) = models({"model": "hf", **config}, ("pretrained",), ["t"])
    return model.revision


def test_a_model_revision_is_a_full_commit_or_unknown_with_a_reason():
    assert revision(model_args={"pretrained": "a/b"}, model_sha=COMMIT) == COMMIT
    assert revision(model_args=f"pretrained=a/b,revision={COMMIT}") == COMMIT
    assert revision(model_args=f"pretrained=/hub/models--a--b/snapshots/{COMMIT}", model_sha="") == COMMIT
    assert isinstance(revision(model_args="pretrained=a/b,revision=main", model_sha=""), Unknown)
    assert "local or it was offline" in revision(model_args="pretrained=a/b", model_sha="").unknown
    assert "does not record" in revision(model_args="pretrained=a/b").unknown
    assert isinstance(revision(model_args="pretrained=a/b", model_sha=COMMIT[:7]), Unknown)


def test_an_adapter_on_a_model_is_a_model_too():
    config = {"model": "hf", "model_args": "pretrained=a/b,peft=c/d", "model_sha": COMMIT, "peft_sha": COMMIT[::-1]}
    assert [(model.name, model.revision) for model in models(config, ("pretrained",), [])] == [
        ("a/b", COMMIT),
        ("c/d", COMMIT[::-1]),
    ]


def a_run(folder: Path, document, harness=None):
    harness = harness or LmEval()
    name = "results_2026-11-23T00-00-00.json" if harness.name == "lm_eval" else "20261123_000000_results.json"
    (folder / "m").mkdir(exist_ok=True)
    (folder / "m" / name).write_text(json.dumps(document))
    (run,) = harness.find([folder])
    return harness.read(run)


def config(**changes):
    return {"dataset_path": "a/b", **changes}


def test_datasets_are_named_once_with_their_tasks_and_revisions(tmp_path):
    configs = {
        "pinned": config(dataset_kwargs={"revision": COMMIT}),
        "branch": config(dataset_kwargs={"revision": "main"}),
        "one": config(dataset_name="x"),
        "two": config(dataset_name="x", test_split="test"),
        "files": {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": "t.jsonl"}}},
        "none": {"task": "none"},
    }
    parts = a_run(tmp_path, {"results": {"one": {"acc,none": 1}}, "configs": configs}).subject.datasets
    assert [(part.name, part.tasks) for part in parts] == [
        ("a/b", ["pinned"]),
        ("a/b", ["branch"]),
        ("a/b", ["one", "two"]),
        ("json", ["files"]),
    ]
    assert parts[0].revision == COMMIT
    assert "`main`, which can move" in parts[1].revision.unknown
    assert "pins no revision" in parts[2].revision.unknown
    assert parts[2].extra == {"dataset_name": "x"}
    assert parts[3].extra == {"data_files": {"test": "t.jsonl"}}


def test_a_version_that_says_nothing_is_unknown(tmp_path):
    reading = a_run(tmp_path, {"results": {"t": {}}, "configs": {}, "lm_eval_version": "N/A"})
    assert isinstance(reading.harness.version, Unknown)
    assert "W307" in {found.code for found in reading.findings}


@pytest.mark.parametrize(
    ("said", "known"), [("unknown@unknown", False), ("main@0123abc", True), ("main@unknown", False), (None, False)]
)
def test_the_version_of_lmms_eval_is_its_commit_or_unknown(tmp_path, said, known):
    reading = a_run(tmp_path, {"results": {"t": {}}, "configs": {}, "lmms_eval_version": said}, LmmsEval())
    assert reading.harness.version == said if known else isinstance(reading.harness.version, Unknown)
    assert ("W307" in {found.code for found in reading.findings}) != known


@pytest.mark.parametrize(
    ("zone", "started"),
    [
        ({}, "2026-11-22T16:00:00Z"),
        ({"timezone": "UTC"}, "2026-11-23T00:00:00Z"),
        ({"timezone": "America/New_York"}, "2026-11-23T05:00:00Z"),
        ({"timezone": "Nowhere/Nothing"}, None),
        ({"timezone": "../../etc/passwd"}, None),
        ({"timezone": 3}, None),
    ],
)
def test_the_start_that_lmms_eval_claims_is_in_its_own_zone(tmp_path, zone, started):
    document = {"results": {"t": {}}, "configs": {}, "date": "20261123_000000", "config": {"resolved_cli_args": zone}}
    assert a_run(tmp_path, document, LmmsEval()).started == started


@pytest.mark.parametrize("date", [None, "yesterday", True, 1e300, -1e300, math.nan])
def test_a_start_that_is_no_time_is_not_known(tmp_path, date):
    assert a_run(tmp_path, {"results": {"t": {}}, "configs": {}, "date": date}).started is None


def test_a_limit_without_counts_is_told(tmp_path):
    reading = a_run(
        tmp_path,
        {"results": {"t": {"acc,none": 1}}, "configs": {"t": {}}, "config": {"limit": 8.0}, "lm_eval_version": "1"},
    )
    assert [(found.code, found.where) for found in reading.findings] == [
        ("W306", "harness/m/results_2026-11-23T00-00-00.json"),
        ("W303", "t"),
    ]


def test_tables_of_the_wrong_kind_are_passed_over(tmp_path):
    tables = "groups group_subtasks configs versions n-shot higher_is_better n-samples config task_hashes"
    document = {name: [1] for name in tables.split()}
    reading = a_run(tmp_path, {**document, "results": {"t": [1], "u": {"acc,none": 1}}})
    assert reading.harness.claims["results"] == {"t": [1]}
    assert [task.name for task in reading.results.tasks] == ["t", "u"]


@pytest.mark.parametrize(
    ("limit", "available", "claimed", "told"),
    [
        (0.5, 4, 4, True),
        (0.5, 5, 3, False),
        (0.5, 5, 2, False),
        (0.3, 5, 3, True),
        (3, 5, 4, False),
        (1.0, 4, 4, False),
    ],
)
def test_a_limit_that_leaks_from_a_task_before_is_told(tmp_path, limit, available, claimed, told):
    counts = {"n-samples": {"t": {"original": available, "effective": claimed}}, "config": {"limit": limit}}
    reading = a_run(
        tmp_path, {"results": {"t": {"acc,none": 1}}, "configs": {"t": {}}, "lm_eval_version": "1", **counts}
    )
    assert ("W325" in {found.code for found in reading.findings}) == told


@pytest.mark.parametrize(
    ("said", "metadata", "version"),
    [
        (1.0, None, "1.0"),
        (2, None, "2"),
        ("2024-01", None, "2024-01"),
        ("N/A", None, None),
        (None, None, None),
        ([1], None, None),
        ("Yaml", [{"note": "x"}, {"version": 0.1}], "0.1"),
        ("Yaml", {"version": 0.1}, None),
        ("Yaml", [{"version": [1]}], None),
        ("Yaml", None, None),
    ],
)
def test_a_version_is_read_as_text_whatever_it_is_and_wherever_it_stands(tmp_path, said, metadata, version):
    configs = {"t": {"metadata": metadata}}
    reading = a_run(tmp_path, {"results": {"t": {"acc,none": 1}}, "configs": configs, "versions": {"t": said}})
    assert [task.version for task in reading.results.tasks] == [version]
    assert [metric.task_version for metric in reading.results.metrics] == [version]
