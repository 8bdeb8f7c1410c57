"""What starts an evaluation does not matter: each gives one right bundle, and a script that starts several gives each.

Where only the starting is tested, a stand-in of lm-eval is started, which writes the same files; two ranks of the real
one are run by torchrun.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.xdist_group("torch"), pytest.mark.timeout(600)]

ENVIRONMENT = (Path(__file__).parents[2] / ".demo/torch").resolve()
OPTIONS = (
    "run", "--model", "hf", "--model_args", "model=toy-org/guesser", "--tasks", "sizes", "--output_path", "out",
    "--log_samples",
)  # fmt: skip
SRUN = """\
#!/bin/sh
# Starts its arguments as srun starts a step of two tasks, one after the other.
while [ "${1#-}" != "$1" ]; do shift; done
export SLURM_JOB_ID=4711 SLURM_NTASKS=2 SLURM_JOB_NODELIST=box
SLURM_PROCID=1 SLURM_LOCALID=1 "$@"
export SLURM_PROCID=0 SLURM_LOCALID=0
exec "$@"
"""
SEVERAL = """\
#!/usr/bin/env bash
set -eu
python -m lm_eval run --model hf --model_args model=toy-org/one --tasks sizes --output_path out/first --log_samples
cd deeper
for seed in 1 2; do
  python -m lm_eval run --model hf --model_args model=toy-org/two --tasks sizes --output_path ../out/second \\
    --log_samples --seed $seed
done
python -m lm_eval run --model hf --model_args model=breaks --tasks sizes --output_path none || true
"""


@pytest.fixture(scope="module")
def desk(laboratory, copied):
    """A checkout with the stand-in, a script, and an `srun` of our own on PATH."""
    copied("tests/live/stand_in", laboratory.evals)
    (laboratory.evals / "run_all.sh").write_text(SEVERAL)
    (laboratory.evals / "deeper").mkdir()
    (laboratory.evals / "deeper/.keep").touch()
    (laboratory.evals / ".gitignore").write_text("__pycache__/\n")
    srun = laboratory.home / "cluster/srun"
    srun.parent.mkdir()
    srun.write_text(SRUN)
    srun.chmod(0o755)
    laboratory.commit()
    return laboratory


@pytest.fixture
def started(desk):
    """Capture a command that evaluates once; gives its one bundle and what is known of the environment."""

    def start(*words: str, **variables: str):
        before = len(desk.bundles())
        path = f"{desk.home / 'cluster'}:{desk.environment['PATH']}"
        desk.reprokit("capture", "--", *words, **{"PYTHONPATH": str(desk.evals), "PATH": path, **variables})
        assert len(desk.bundles()) == before + 1
        shown = desk.shown()
        assert shown["record"]["run"]["complete"] is True
        assert shown["record"]["harness"]["name"] == "lm_eval"
        assert {task["name"]: task["samples_saved"] for task in shown["results"]["tasks"]} == {"sizes": 4}
        environment = json.loads((Path(shown["path"]) / "data/environment/environment.json").read_text())
        assert environment["learnt_from"] == "probe"
        assert environment["interpreter"]["prefix"] == str(ENVIRONMENT)
        return shown, environment

    return start


@pytest.mark.parametrize(
    "words",
    [
        ("python", "-m", "lm_eval"),
        ("uv", "run", "--no-project", "--python", str(ENVIRONMENT), "python", "-m", "lm_eval"),
        ("nice", "-n", "1", "timeout", "100", "env", "SEED=3", "python", "-m", "lm_eval"),
        ("accelerate", "launch", "--cpu", "--num_processes", "1", "--num_machines", "1", "--mixed_precision", "no",
         "--dynamo_backend", "no", "-m", "lm_eval"),
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_a_launcher_gives_one_right_bundle(started, words):
    shown, _ = started(*words, *OPTIONS)

    assert shown["record"]["invocation"]["argv"] == [*words, *OPTIONS]
    assert [output["path"] for output in shown["record"]["invocation"]["outputs"]] == ["out"]


def test_a_project_s_own_environment_is_found_by_uv_run(started, desk):
    (desk.evals / "pyproject.toml").write_text(
        '[project]\nname = "evals"\nversion = "1"\nrequires-python = ">=3.8"\ndependencies = []\n'
    )

    shown, environment = started(
        "uv", "run", "--no-sync", "python", "-m", "lm_eval", *OPTIONS, UV_PROJECT_ENVIRONMENT=str(ENVIRONMENT)
    )

    assert shown["record"]["run"]["complete"] is True
    assert environment["interpreter"]["executable"].startswith(str(ENVIRONMENT))
    (desk.evals / "pyproject.toml").unlink()


def test_two_tasks_of_srun_are_one_run_that_knows_its_job(started):
    shown, environment = started("srun", "-n2", "python", "-m", "lm_eval", *OPTIONS)

    assert shown["record"]["run"]["launcher"] == {
        "SLURM_JOB_ID": "4711", "SLURM_JOB_NODELIST": "box", "SLURM_NTASKS": "2",
    }  # fmt: skip
    assert environment["interpreter"]["processes"] == 2


def test_ranks_of_torchrun_are_one_run(started):
    shown, environment = started("torchrun", "--nproc-per-node", "2", "-m", "lm_eval", *OPTIONS)

    told = shown["record"]["run"]["launcher"]
    assert (told["WORLD_SIZE"], told["LOCAL_WORLD_SIZE"]) == ("2", "2")
    assert "RANK" not in told, "each has its own"
    assert environment["interpreter"]["processes"] == 3


def test_a_script_that_starts_several_evaluations_gives_a_bundle_of_each(desk):
    before = len(desk.bundles())

    desk.reprokit("capture", "--", "bash", "run_all.sh", PYTHONPATH=str(desk.evals))

    new = [desk.shown(bundle["id"]) for bundle in desk.bundles()[before:]]
    assert sorted(shown["record"]["subject"]["models"][0]["name"] for shown in new) == [
        "toy-org/one", "toy-org/two", "toy-org/two",
    ]  # fmt: skip
    for shown in new:
        assert shown["record"]["run"]["complete"] is True
        assert shown["record"]["harness"]["name"] == "lm_eval"
        assert shown["record"]["invocation"]["argv"] == ["bash", "run_all.sh"]
        assert [output["path"] for output in shown["record"]["invocation"]["outputs"]] == [
            "out/first", "out/second", "deeper/none",
        ]  # fmt: skip
        assert [task["samples_saved"] for task in shown["results"]["tasks"]] == [4]
        codes = {finding["code"]: finding["message"] for finding in shown["record"]["findings"]}
        assert codes["W354"].endswith("1 of 4")
        assert "W311" not in codes, "what evaluations wrote is no change to the code"
    assert len({shown["identity"] for shown in new}) == 3


def test_a_script_whose_evaluation_fails_says_which_harness_it_was(desk):
    script = "python -m lm_eval run --model hf --model_args model=breaks --tasks sizes --output_path none"

    desk.reprokit("capture", "--", "bash", "-c", script, status=1, PYTHONPATH=str(desk.evals))

    record = desk.shown()["record"]
    assert record["harness"]["name"] == "lm_eval"
    assert record["run"]["complete"] is False
    assert {"W301", "W310"} <= {finding["code"] for finding in record["findings"]}


def test_an_interpreter_that_could_not_be_watched_is_found_behind_its_wrapper(desk):
    script = desk.evals / "isolated.sh"
    script.write_text("#!/bin/sh\nexec python -I -c pass\n")
    script.chmod(0o755)

    desk.reprokit("capture", "--", "nice", "./isolated.sh", PYTHONPATH=str(desk.evals))

    path = Path(desk.shown()["path"])
    environment = json.loads((path / "data/environment/environment.json").read_text())
    assert environment["learnt_from"] == "command"
    assert environment["interpreter"]["prefix"] == str(ENVIRONMENT)
    script.unlink()


def test_two_ranks_of_the_real_harness_give_each_sample_once(desk, copied, samples_in):
    copied("examples/lm_eval_arithmetic", desk.evals / "real")
    made = desk.run("python", Path(__file__).parents[1] / "live/tiny_gpt2.py", "real/model")
    assert made.returncode == 0, made.stderr

    desk.reprokit(
        "capture", "--", "env", "-C", "real", "torchrun", "--nproc-per-node", "2", "-m", "lm_eval", "run",
        "--model", "hf", "--model_args", "pretrained=model,dtype=float32", "--tasks", "toy_arithmetic",
        "--include_path", "tasks", "--output_path", desk.home / "two", "--log_samples",
    )  # fmt: skip

    shown = desk.shown()
    assert shown["record"]["run"]["complete"] is True
    assert [sample["id"] for sample in samples_in(shown, "larger")] == list(range(8))
    assert len({(each["id"], each["filter"]) for each in samples_in(shown, "sums")}) == 12
    assert {task["name"]: task["samples_saved"] for task in shown["results"]["tasks"]} == {"larger": 8, "sums": 12}
    environment = json.loads((Path(shown["path"]) / "data/environment/environment.json").read_text())
    assert environment["determinism"]["WORLD_SIZE"] == "2"
    assert environment["torch"]["version"] == "2.13.0+cpu"
    assert os.path.realpath(environment["interpreter"]["base_prefix"]) == os.path.realpath(sys.base_prefix)
