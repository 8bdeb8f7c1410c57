"""lmms-eval with a model and pictures of our own: captured when it works, and when it fails and says all is well."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.xdist_group("torch"), pytest.mark.timeout(600)]

ARGUMENTS = (
    "--model", "tint_reader", "--include_path", "tints/tasks", "--output_path", "out", "--log_samples",
    "--device", "cpu", "--seed", "3",
)  # fmt: skip


@pytest.fixture(scope="module")
def pictures(laboratory, copied):
    """Put the plugin and its pictures into the checkout."""
    copied("tests/live/lmms_eval", laboratory.evals)
    made = laboratory.run("python", "make_images.py", "data/tints.parquet")
    assert made.returncode == 0, made.stderr
    (laboratory.evals / ".gitignore").write_text("__pycache__/\n")
    laboratory.commit()
    return {"PYTHONPATH": str(laboratory.evals), "LMMS_EVAL_PLUGINS": "tints"}


@pytest.fixture(scope="module")
def live(laboratory, pictures):
    """Capture one real run, for all tests of this module."""
    words = ("--tasks", "name_tints,agreed", "--model_args", "model_version=toy-org/tint-reader")
    laboratory.reprokit("capture", "--", "python", "-m", "lmms_eval", *ARGUMENTS, *words, **pictures)
    return laboratory.shown()


def test_what_a_model_saw_and_said_is_captured_whole(live, laboratory, samples_in):
    record, results = live["record"], live["results"]
    laboratory.reprokit("validate", live["id"])

    assert record["run"]["complete"] is True
    assert record["harness"]["name"] == "lmms_eval"
    assert {(row["task"], row["metric"], round(row["value"], 3)) for row in results["metrics"]} == {
        ("name_tints", "tint_named", 0.833),
        ("agreed", "exact_match", 0.667),
    }
    tints = samples_in(live, "name_tints")
    assert [sample["id"] for sample in tints] == [0, 1, 2, 3, 4, 5]
    assert [sample["answer"] for sample in tints] == ["red", "green", "blue", "white", "black", "black"]
    assert [sample["target"] for sample in tints] == ["red", "green", "blue", "white", "black", "white"]
    assert [sample["scores"] for sample in tints] == [{"tint_named": 1.0}] * 5 + [{"tint_named": 0.0}]
    assert samples_in(live, "agreed")[2]["prompt"] == "雪は白い?"


def test_the_pictures_are_digested_each_with_its_sample(live, samples_in):
    tints = samples_in(live, "name_tints")
    colours = [(255, 0, 0), (0, 128, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (0, 0, 0)]

    for at, (sample, colour) in enumerate(zip(tints, colours, strict=True)):
        width = 6 + min(at, 4)
        pixels = f"RGB {width}x4\n".encode() + bytes(colour) * width * 4
        (medium,) = sample["media"]
        assert medium["digest"] == f"sha256:{hashlib.sha256(pixels).hexdigest()}"
        assert (medium["kind"], medium["digest_of"]) == ("image", "pixels")
        assert (medium["width"], medium["height"], medium["name"]) == (width, 4, None)
    assert all(sample["media"] == [] for sample in samples_in(live, "agreed"))
    assert "W353" not in {finding["code"] for finding in live["record"]["findings"]}


def test_the_version_that_lmms_eval_does_not_tell_is_that_of_the_package(live):
    environment = json.loads((Path(live["path"]) / "data/environment/environment.json").read_text())

    assert live["record"]["harness"]["version"] == "0.7.3"
    assert live["record"]["harness"]["version_from"] == "environment"
    assert environment["torch"]["initial_seed"] == 3
    assert environment["modules"]["tints"].endswith("evals/tints/__init__.py"), "the plugin is no installed package"


def test_somebody_else_reproduces_it_from_the_packed_bundle_alone_with_identical_samples(live, second_machine):
    other, packed = second_machine(live)

    result = json.loads(other.reprokit("reproduce", packed, "--yes", "--allow-sdist", "--json"))

    assert result["verdict"] == "identical samples"
    assert result["deltas"] == []


def test_a_run_that_failed_and_exited_with_0_is_incomplete(laboratory, pictures):
    words = ("--tasks", "name_tints", "--model_args", "model_version=toy-org/tint-reader,fails_at=2")

    laboratory.reprokit("capture", "--", "lmms-eval", *ARGUMENTS, *words, **pictures)

    shown = laboratory.shown()
    record = shown["record"]
    assert record["run"]["exit_code"] == 0
    assert record["run"]["complete"] is False
    assert record["harness"]["name"] == "lmms_eval"
    assert "W301" in {finding["code"] for finding in record["findings"]}
    assert shown["results"]["metrics"] == []
    printed = (Path(shown["path"]) / "data/process/stderr.log").read_text()
    assert "the model breaks down here, as it was told to" in printed
