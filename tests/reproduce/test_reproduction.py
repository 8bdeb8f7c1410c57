"""Reproducing a run of one's own program: what is refused, what is restored, and what is said of the outcome."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from reprokit.errors import InvalidRecordError
from reprokit.rerun.requirements import pins


def reproduce(reprokit, *arguments, check=0):
    return reprokit("reproduce", *arguments, "--yes", "--env", "current", check=check)


def test_the_plan_is_shown_and_nothing_runs_without_consent(reprokit, captured_here, evaluation):
    before = reprokit.json("list")

    refused = reprokit("reproduce", captured_here, "--env", "current", check=22)
    plan = reprokit("reproduce", captured_here, "--plan").stdout

    assert "evaluate.py" in refused.stderr
    assert "--yes" in refused.stderr
    assert "my-evals (working directory" in plan
    assert reprokit.json("list") == before


def test_a_run_is_reproduced_from_the_bundle_alone(reprokit, captured_here, evaluation):
    shutil.rmtree(evaluation)

    done = reproduce(reprokit, captured_here)
    again = reprokit.json("show", "latest")

    assert done.stdout.startswith("identical samples: ")
    assert again["record"]["reproduces"] == reprokit.json("show", captured_here)["identity"]
    assert again["record"]["sources"][0]["tree"] == reprokit.json("show", captured_here)["record"]["sources"][0]["tree"]
    events = [
        json.loads(line) for path in reprokit.archive.glob("ledger/*/*.jsonl") for line in path.read_text().splitlines()
    ]
    assert [event["detail"]["verdict"] for event in events if event["event"] == "reproduced"] == ["identical samples"]
    assert reprokit("status").returncode == 0


def test_a_run_that_comes_out_otherwise_by_few_samples_is_inconclusive_and_exits_with_1(reprokit, evaluation):
    (evaluation / "answers.py").write_text("import os\nOFFSET = int(os.path.basename(os.getcwd()) == 'source')\n")
    reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation)

    done = reproduce(reprokit, "latest", check=1)

    assert done.stdout.startswith("inconclusive: ")
    assert "would have found" in done.stdout
    assert "exact_match 1 → 0" in done.stdout


def test_an_evaluation_that_fails_again_exits_with_20(reprokit, evaluation):
    source = (evaluation / "evaluate.py").read_text()
    (evaluation / "evaluate.py").write_text(
        "import os\nif os.path.basename(os.getcwd()) == 'source': raise SystemExit(3)\n" + source
    )
    reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation)

    done = reproduce(reprokit, "latest", check=20)

    assert "exit status 3" in done.stderr


def test_a_damaged_bundle_is_not_reproduced(reprokit, captured):
    (patch,) = Path(reprokit.json("show", captured)["path"]).rglob("*.patch")
    patch.chmod(0o644)
    patch.write_bytes(patch.read_bytes() + b"\n")

    assert "is not what was captured" in reproduce(reprokit, captured, check=12).stderr


def test_the_command_of_a_run_of_which_only_outputs_are_there_is_worked_out(reprokit, tmp_path):
    outputs = tmp_path / "recorded"
    shutil.copytree("tests/recorded/lmms_eval", outputs)
    reprokit("capture", "--from", outputs)

    done = reproduce(reprokit, "latest", check=21)

    assert "worked out from what the harness wrote" in done.stderr
    assert "the program `lmms_eval` is not on PATH" in done.stderr


def test_a_missing_input_is_told_before_anything_runs(reprokit, evaluation, tmp_path):
    data = tmp_path / "elsewhere.jsonl"
    data.write_text("{}\n")
    (evaluation / "evaluate.py").write_text("import sys\nopen(sys.argv[2]).read()\nopen('ran', 'w').close()\n")
    reprokit("capture", "--", "python", "evaluate.py", "--data", data, directory=evaluation)
    data.unlink()

    done = reproduce(reprokit, "latest", check=21)

    assert f"`{data}` is not on this machine" in done.stderr


def test_the_script_runs_by_itself_and_gives_the_same_predictions(reprokit, captured_here, evaluation, tmp_path):
    script = tmp_path / "again.sh"
    script.write_text(
        reprokit("reproduce", captured_here, "--script").stdout.replace("uv pip install", ": uv pip install")
    )
    predictions = (evaluation / "predictions.jsonl").read_bytes()
    shutil.rmtree(evaluation)

    done = subprocess.run(
        ["bash", script, tmp_path / "workspace"],
        env=reprokit.environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "workspace/source/predictions.jsonl").read_bytes() == predictions


@pytest.mark.parametrize(
    "line",
    [
        "--index-url http://evil.invalid/simple",
        "-r /etc/passwd",
        "evil @ http://evil.invalid/x.whl",
        "a==1 ; os_name=='x'",
        "a>=1",
        "a[b]==1",
        "a==1 --hash=sha256:0",
    ],
)
def test_a_lock_that_is_more_than_pinned_names_is_refused(line):
    with pytest.raises(InvalidRecordError, match=r"requirements\.lock"):
        pins(f"good==1.0\n{line}\n".encode())


def test_the_keys_that_a_person_named_hold_in_the_re_run_too(reprokit, evaluation):
    source = (
        (evaluation / "evaluate.py")
        .read_text()
        .replace('"response"', '"model_answer"')
        .replace('"target"', '"gold_answer"')
    )
    (evaluation / "evaluate.py").write_text(source)
    (evaluation / "reprokit.toml").write_text(
        '[script]\nresults = "metrics.json"\nsamples = "predictions.jsonl"\nresponse = "model_answer"\ntarget = "gold_answer"\n'
    )
    reprokit("capture", "--", "python", "evaluate.py", directory=evaluation)

    done = reprokit.json("reproduce", "latest", "--yes", "--env", "current")

    assert done["verdict"] == "identical samples"
    fields = reprokit.json("show", done["reproduced_as"])["record"]["harness"]["fields"]
    assert fields == {"response": ["model_answer"], "target": ["gold_answer"]}


def test_a_run_with_samples_alone_is_read_as_samples_again(reprokit, evaluation):
    reprokit("capture", "--samples", "predictions.jsonl", "--", "python", "evaluate.py", directory=evaluation)

    done = reprokit.json("reproduce", "latest", "--yes", "--env", "current", check=None)
    (task,) = done["difference"]["samples"]

    assert (task["compared"], task["identical"]) == (6, 6)
