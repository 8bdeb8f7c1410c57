"""lm-eval with a real model in torch, started by `accelerate launch`: captured whole, and reproduced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = [pytest.mark.xdist_group("torch"), pytest.mark.timeout(600)]

COMMAND = (
    "accelerate", "launch", "--cpu", "--num_processes", "1", "--num_machines", "1", "--mixed_precision", "no",
    "--dynamo_backend", "no", "-m", "lm_eval", "run", "--model", "hf", "--model_args",
    "pretrained=models/tiny-gpt2,dtype=float32", "--device", "cpu", "--batch_size", "2", "--tasks", "toy_arithmetic",
    "--include_path", "tasks", "--output_path", "results", "--log_samples", "--seed", "7", "--apply_chat_template",
)  # fmt: skip


@pytest.fixture(scope="module")
def live(laboratory, copied):
    """Capture one real run, for all tests of this module."""
    copied("examples/lm_eval_arithmetic", laboratory.evals)
    model = laboratory.run("python", Path(__file__).parents[1] / "live/tiny_gpt2.py", "models/tiny-gpt2")
    assert model.returncode == 0, model.stderr
    laboratory.commit()
    laboratory.reprokit("capture", "--", *COMMAND)
    return laboratory.shown()


def test_a_model_s_real_answers_are_captured_whole(live, laboratory, samples_in):
    record, results = live["record"], live["results"]
    laboratory.reprokit("validate", "latest")

    assert record["run"]["complete"] is True
    assert record["run"]["exit_code"] == 0
    assert {(row["task"], row["metric"], row["filter"], row["n"]) for row in results["metrics"]} == {
        ("larger", "acc", "none", 8),
        ("sums", "exact_match", "first-number", 6),
        ("sums", "exact_match", "as-is", 6),
    }
    assert {task["name"]: task["samples_saved"] for task in results["tasks"]} == {"larger": 8, "sums": 12}
    larger = samples_in(live, "larger")
    assert [sample["id"] for sample in larger] == list(range(8))
    assert all(len(sample["responses"]) == 2 for sample in larger), "a log-likelihood for each choice"
    assert all("[user]" in json.dumps(sample["prompt"]) for sample in larger), "the chat template was applied"
    (accuracy,) = [row["value"] for row in results["metrics"] if row["metric"] == "acc"]
    assert accuracy == pytest.approx(sum(sample["scores"]["acc"] for sample in larger) / 8)


def test_the_model_and_the_data_are_told(live):
    subject = live["record"]["subject"]
    (model,) = subject["models"]

    assert model["name"] == "models/tiny-gpt2"
    assert model["extra"]["model_dtype"] == "torch.float32"
    assert model["extra"]["model_num_parameters"] == 4312
    assert "unknown" in model["revision"]
    assert sorted(each["extra"]["data_files"]["test"] for each in subject["datasets"]) == [
        "data/larger.jsonl",
        "data/sums.jsonl",
    ]


def test_torch_says_what_it_is_and_how_it_was_set(live):
    environment = json.loads((Path(live["path"]) / "data/environment/environment.json").read_text())
    versions = {package["name"]: package["version"] for package in environment["packages"]}

    assert environment["learnt_from"] == "probe"
    assert environment["torch"]["version"] == versions["torch"] == "2.13.0+cpu"
    assert environment["torch"]["initial_seed"] == 7
    assert environment["torch"]["cuda"] is None
    assert environment["torch"]["deterministic_algorithms"] is False
    assert environment["torch"]["threads"] >= 1
    assert versions["lm_eval"] == live["record"]["harness"]["version"] == "0.4.13"
    assert live["record"]["environment_summary"]["transformers"] == versions["transformers"]
    assert environment["hosts"] == [], "nothing asked the network"
    # The launcher, the evaluation, and what it asks of its own Python are processes of one environment.
    assert environment["interpreter"]["processes"] >= 2
    assert environment["other_interpreters"] == []


def test_somebody_else_reproduces_it_from_the_packed_bundle_alone_with_identical_samples(live, second_machine):
    other, packed = second_machine(live)

    result = json.loads(other.reprokit("reproduce", packed, "--yes", "--allow-sdist", "--json", USER="bob"))

    assert result["verdict"] == "identical samples"
    assert result["deltas"] == []
    again = other.shown(result["reproduced_as"])
    assert again["record"]["reproduces"] == live["identity"]
    assert again["record"]["environment_summary"] == live["record"]["environment_summary"]
    assert again["record"]["sources"][0]["tree"] == live["record"]["sources"][0]["tree"]
