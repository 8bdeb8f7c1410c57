"""The command line of a recorded run, from its result files; what was typed is in `tests/recorded/README.md`."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Unknown
from reprokit.harnesses import table
from reprokit.harnesses.lm_eval import LmEval
from reprokit.harnesses.lmms_eval import LmmsEval

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "tests/recorded"
REAL_LM_EVAL = ROOT / ".demo/lm-eval/bin"
REAL_LMMS_EVAL = ROOT / ".demo/torch/bin/python"
# The harness adds to these itself, or a re-run must not repeat them.
NOT_REPEATED = {"hf_hub_log_args", "wandb_args", "wandb_log_samples", "use_cache", "include_path"}
PARSE = """
import json, sys
from lmms_eval.__main__ import parse_eval_args
for line in sys.stdin:
    sys.argv = json.loads(line)
    print(json.dumps(vars(parse_eval_args()[1])))
"""


def runs(harness):
    found = [pair for case in sorted(RECORDED.glob(f"{harness}/*/*")) for pair in table.by_files([case])]
    return [(adapter, run) for adapter, run in found if run.results is not None]


def rebuilt(case, number=0):
    adapter, run = table.by_files([RECORDED / case])[number]
    return adapter.rebuilt(run)


def changed(tmp_path, case, **config):
    """Rebuild a recorded run whose results file says something else in `config`, or on top."""
    shutil.copytree(RECORDED / case, tmp_path / "run")
    ((adapter, run),) = table.by_files([tmp_path / "run"])
    path = run.root / run.results
    document = json.loads(path.read_text())
    for key, value in config.items():
        place = document if key in document else document["config"]
        place[key] = value
    path.write_text(json.dumps(document))
    return adapter.rebuilt(run)


def test_lm_eval_names_groups_in_their_place_and_what_all_tasks_share():
    found = rebuilt("lm_eval/0.4.13/dummy_in_git")
    assert " ".join(found.argv) == (
        "lm_eval --model dummy --model_args model=toy-org/dummy-v1 --tasks toy_gen,toy_group --include_path tasks"
        " --seed 3 --limit 5 --metadata note=hello --output_path results --log_samples"
    )
    assert [line.partition(":")[0] for line in found.lost] == ["`--include_path`", "`--num_fewshot`"]


def test_lm_eval_keeps_settings_of_prompts_and_of_generation():
    found = rebuilt("lm_eval/0.4.13/hf_chat_hidden_folder")
    assert list(found.argv) == [
        "lm_eval", "--model", "hf", "--model_args", "pretrained=../../models/tiny-gpt2,dtype=float32", "--tasks",
        "toy_gen,toy_mc", "--include_path", "tasks", "--num_fewshot", "2", "--device", "cpu", "--gen_kwargs",
        "do_sample=True,temperature=0.7", "--seed", "1,2,3,4", "--system_instruction", "You are terse. Répondez.",
        "--apply_chat_template", "--fewshot_as_multiturn", "--limit", "0.5", "--output_path", "results",
        "--log_samples",
    ]  # fmt: skip
    assert any("name of the chat template" in line for line in found.lost)


def test_the_outermost_of_nested_groups_is_named():
    argv = rebuilt("lm_eval/0.4.13/nested_groups").argv
    assert argv[argv.index("--tasks") + 1] == "toy_outer"


def test_a_run_that_only_predicted_predicts_again():
    assert "--predict_only" in rebuilt("lm_eval/0.4.13/predict_only").argv
    assert "--predict_only" not in rebuilt("lm_eval/0.4.13/odd_metrics").argv


def test_samples_that_were_chosen_are_chosen_again(tmp_path):
    found = changed(tmp_path, "lm_eval/0.4.13/local_time", limit=None)
    assert found.argv[found.argv.index("--samples") + 1] == '{"toy_mc_b": [0, 1]}'
    assert "--limit" not in found.argv


def test_values_that_text_cannot_hold_are_written_as_json(tmp_path):
    model_args = {"pretrained": "org/m", "rope": {"a": [1, 2]}, "name": "007", "none": None}
    argv = changed(tmp_path, "lm_eval/0.4.13/local_time", model_args=model_args).argv
    assert json.loads(argv[argv.index("--model_args") + 1]) == model_args


def test_a_model_and_a_cache_that_cannot_be_known_are_told(tmp_path):
    found = changed(tmp_path, "lm_eval/0.4.13/local_time", model="mine\n", use_cache="old/cache")
    assert any("`mine\N{REPLACEMENT CHARACTER}`" in line for line in found.lost)
    assert any("`old/cache`" in line for line in found.lost)
    assert "old/cache" not in " ".join(found.argv)


def test_a_value_cannot_become_an_option_or_a_secret(tmp_path):
    found = changed(
        tmp_path, "lm_eval/0.4.13/local_time", model="--trust_remote_code", model_args="api_key=\0HF_TOKEN\0"
    )
    assert "--model=--trust_remote_code" in found.argv
    assert not any("\0" in word for word in found.argv)
    assert found.secrets == ()


def test_lmms_eval_gives_back_what_it_blacked_out_as_a_slot(tmp_path):
    arguments = {"tasks": "toy", "model_args": "api_key=[REDACTED],x=1", "gen_kwargs": "[REDACTED]", "config": "a.yaml"}
    found = changed(tmp_path, "lmms_eval/0.7.3/dummy_group", resolved_cli_args=arguments)
    assert found.argv[:5] == ("lmms_eval", "--tasks", "toy", "--model_args", "api_key=\0API_KEY\0,x=1")
    assert found.secrets == ("API_KEY",)
    assert any("blacked out" in line and "gen_kwargs" in line for line in found.lost)
    assert any("`a.yaml`" in line for line in found.lost)


@pytest.mark.parametrize(
    ("case", "harness"),
    [
        ("lm_eval/0.4.13/cut_results", LmEval),
        ("lm_eval/0.4.13/only_samples", LmEval),
        ("lmms_eval/0.7.3/only_samples", LmmsEval),
    ],
)
def test_without_a_whole_results_file_nothing_is_rebuilt(case, harness):
    (run,) = harness().find([RECORDED / case])
    assert isinstance(harness().rebuilt(run), Unknown)


def test_lmms_eval_itself_reads_every_rebuilt_command_line_as_it_recorded_it():
    if not REAL_LMMS_EVAL.exists():
        pytest.fail("lmms-eval is not installed: run `make test`")
    found = [(adapter.rebuilt(run), run) for adapter, run in runs("lmms_eval")]
    lines = "".join(json.dumps(command.argv) + "\n" for command, _ in found)
    done = subprocess.run(
        [REAL_LMMS_EVAL, "-c", PARSE], input=lines, capture_output=True, text=True, check=True, timeout=280,
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    parsed = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(parsed) == len(found) > 5
    for read, (_, run) in zip(parsed, found, strict=True):
        recorded = json.loads((run.root / run.results).read_text())["config"]["resolved_cli_args"]
        assert {key for key in recorded if read[key] != recorded[key]} <= NOT_REPEATED
        included = recorded["include_path"]
        assert read["include_path"] == (included[0] if isinstance(included, list) else included)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Run lm-eval once; gives where, and what it wrote."""
    if not (REAL_LM_EVAL / "lm_eval").exists():
        pytest.fail("lm-eval is not installed: run `make test`")
    home = tmp_path_factory.mktemp("rebuilt")
    shutil.copytree(ROOT / "examples/lm_eval_arithmetic", home / "evals")
    typed = (
        "lm_eval", "run", "-M", "dummy", "--model_args", "model=toy-org/guesser", "--seed", "7", "--tasks",
        "toy_arithmetic", "--include_path", "tasks", "--output_path", "first", "-s", "-L", "6",
    )  # fmt: skip
    return home, evaluated(home, typed, "first")


@pytest.mark.xdist_group("lm_eval")
def test_a_rebuilt_command_line_gives_lm_eval_the_same_samples(first):
    home, run = first
    argv = list(LmEval().rebuilt(run).argv)
    (place,) = LmEval().outputs(argv)
    argv[place.argument] = "second"
    assert samples(evaluated(home, argv, "second")) == samples(run)


@pytest.mark.xdist_group("lm_eval")
def test_lm_eval_evaluates_the_samples_that_it_is_told_and_no_others(first):
    home, run = first
    argv = list(LmEval().rebuilt(run).argv)
    (place,) = LmEval().outputs(argv)
    argv[place.argument] = "third"
    told = LmEval().subset(argv, {task: [3, 1] for task in samples(run)})
    for task, rows in samples(evaluated(home, told.argv, "third")).items():
        assert {row.id for row in rows} == {1, 3}
        known = {row.id: row.document for row in samples(run)[task]}
        assert all(row.document == known[row.id] for row in rows)


def evaluated(home, argv, place):
    """Run lm-eval and find what it wrote."""
    environment = {
        "HOME": str(home), "PATH": f"{REAL_LM_EVAL}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(home / "hf"),
    }  # fmt: skip
    subprocess.run(list(argv), cwd=home / "evals", env=environment, check=True, capture_output=True, timeout=280)
    (run,) = LmEval().find([home / "evals" / place])
    return run


def samples(run):
    adapter = LmEval()
    tasks = [task.name for task in adapter.read(run).results.tasks]
    return {task: [row for row in adapter.samples(run, task) if isinstance(row, Sample)] for task in tasks}
