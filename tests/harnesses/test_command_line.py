"""Which command lines run a harness, and where they say the outputs go."""

import shlex

import pytest

from reprokit.bundle.record import Output
from reprokit.harnesses import table
from reprokit.harnesses.lm_eval import LmEval
from reprokit.harnesses.lmms_eval import LmmsEval
from reprokit.harnesses.script import Script

LM_EVAL = [
    "lm_eval --model dummy",
    "lm-eval run --model dummy",
    "/x/bin/lm_eval --tasks a",
    "lm_eval",
    "python -m lm_eval",
    "/usr/bin/python3.11 -u -m lm_eval.__main__ --model dummy",
    "python -um lm_eval",
    "python -X dev -W error -m lm_eval",
    "python /x/bin/lm_eval --tasks a",
    "python /x/site-packages/lm_eval/__main__.py",
    "uv run lm_eval",
    "uv run --no-sync --extra hf lm_eval --tasks a",
    "uv run python -m lm_eval",
    "uvx --from lm-eval lm_eval",
    "accelerate launch -m lm_eval --tasks a",
    "accelerate launch --num_processes 4 --mixed_precision=bf16 -m lm_eval",
    "python -m accelerate.commands.launch --multi_gpu -m lm_eval",
    "torchrun --nproc_per_node 2 -m lm_eval",
    "env A=b HF_HOME=/x lm_eval",
    "env -i PATH=/bin lm_eval",
    "nice lm_eval",
    "nice -n 10 lm_eval",
    "timeout 10 lm_eval",
    "timeout -s KILL 1.5h lm_eval",
    "srun lm_eval",
    "srun -J evaluation -n 1 --gres gpu:1 python -m lm_eval",
    "nohup env A=b timeout 10 python -m lm_eval",
    "conda run -n evals --no-capture-output lm_eval",
]
NOTHING = [
    "",
    "grep lm_eval",
    "grep -r lm_eval .",
    "echo -m lm_eval",
    "python train.py --note lm_eval",
    "python train.py -m lm_eval",
    "python -m train --note lm_eval",
    "python -c lm_eval",
    "python",
    "python -m",
    "env",
    "env A=lm_eval python train.py",
    "timeout 10 grep lm_eval log",
    "srun --job-name lm_eval python train.py",
    "srun -J lm_eval -n 4 python train.py",
    "conda run -n lm_eval python train.py",
    "uv run --with lm-eval python train.py",
    "accelerate launch -m train --note lm_eval",
    "accelerate launch --num_processes 4 train.py --note lm_eval",
    "torchrun --standalone train.py --harness lm_eval",
    "bash -c lm_eval",
    "lm_eval_tools",
    "cat lm_eval/__main__.py",
]


@pytest.mark.parametrize("command", LM_EVAL)
def test_lm_eval_is_recognised_whatever_starts_it(command):
    harness = table.by_argv(shlex.split(command))
    assert harness is not None
    assert harness.name == "lm_eval"


@pytest.mark.parametrize("command", LM_EVAL)
def test_lmms_eval_is_recognised_whatever_starts_it(command):
    command = command.replace("lm_eval", "lmms_eval").replace("lm-eval", "lmms-eval")
    harness = table.by_argv(shlex.split(command))
    assert harness is not None
    assert harness.name == "lmms_eval"


@pytest.mark.parametrize("command", NOTHING)
@pytest.mark.parametrize("written", ["lm_eval", "lmms_eval"])
def test_a_mere_argument_is_no_harness(command, written):
    assert table.by_argv(shlex.split(command.replace("lm_eval", written))) is None


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("lm_eval --output_path out", Output(path="out", argument=2)),
        ("lm_eval --output_path=out", Output(path="out", argument=1, prefix="--output_path=")),
        ("lm_eval --output_path=a=b", Output(path="a=b", argument=1, prefix="--output_path=")),
        ("lm_eval -o out.json --tasks a", Output(path="out.json", argument=2)),
        ("lm_eval -oout", Output(path="out", argument=1, prefix="-o")),
        ("lm_eval -o=out", Output(path="out", argument=1, prefix="-o=")),
        ("lm_eval --output out", Output(path="out", argument=2)),
        ("lm_eval -o one --output_path two", Output(path="two", argument=4)),
        ("lm_eval --output_path two --tasks a -o=one", Output(path="one", argument=5, prefix="-o=")),
        ("env A=b python -m lm_eval run --output_path ./out/", Output(path="./out/", argument=7)),
        ("srun -o slurm.log lm_eval --output_path out", Output(path="out", argument=5)),
    ],
)
def test_the_place_that_lm_eval_is_told_to_write_to_is_found(command, expected):
    argv = shlex.split(command)
    assert LmEval().outputs(argv) == [expected]
    assert argv[expected.argument] == expected.prefix + expected.path


@pytest.mark.parametrize(
    "command",
    [
        "lm_eval --tasks a",
        "lm_eval --use_cache cache --include_path tasks",
        "lm_eval --output_path",
        "lm_eval --output_path=",
        "lm_eval ls tasks",
        "srun -o slurm.log lm_eval --tasks a",
        "python train.py --output_path out",
        "srun --output_path out",
    ],
)
def test_a_command_that_names_no_place_has_none(command):
    assert LmEval().outputs(shlex.split(command)) == []


def test_the_place_that_lmms_eval_is_told_to_write_to_is_found():
    argv = shlex.split("accelerate launch --num_processes=8 -m lmms_eval --offset 3 --output_path ./logs/ -x")
    assert LmmsEval().outputs(argv) == [Output(path="./logs/", argument=8)]


def test_the_files_of_a_script_are_found_in_its_command(tmp_path):
    results = tmp_path / "r.json"
    script = Script(results, [tmp_path / "s.jsonl", tmp_path / "t.jsonl"])
    argv = ["python", "eval.py", f"--results={results}", "--samples", str(tmp_path / "s.jsonl")]
    assert script.outputs(argv) == [
        Output(path=str(results), argument=2, prefix="--results=", holds="results"),
        Output(path=str(tmp_path / "s.jsonl"), argument=4, holds="samples"),
        Output(path=str(tmp_path / "t.jsonl"), holds="samples"),
    ]
    assert not script.recognises(argv)
