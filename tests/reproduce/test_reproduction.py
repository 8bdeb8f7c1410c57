"""Reproducing a run of one's own program: what is refused, what is restored, and what is said of the outcome."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from reprokit.bundle import reproduce_script, rerun
from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Output, Variable
from reprokit.bundle.source import Source
from reprokit.bundle.values import SecretSlot, Unknown
from reprokit.errors import InvalidRecordError
from reprokit.reproduce.requirements import pins


def reproduce(reprokit, *arguments, check=0):
    return reprokit("reproduce", *arguments, "--yes", "--env", "current", check=check)


def test_the_plan_is_shown_and_nothing_runs_without_consent(reprokit, captured, evaluation):
    before = reprokit.json("list")

    refused = reprokit("reproduce", captured, "--env", "current", check=22)
    plan = reprokit("reproduce", captured, "--plan").stdout

    assert "evaluate.py" in refused.stderr
    assert "--yes" in refused.stderr
    assert "my-evals at" in plan
    assert reprokit.json("list") == before


def test_a_run_is_reproduced_from_the_bundle_alone(reprokit, captured, evaluation):
    shutil.rmtree(evaluation)

    done = reproduce(reprokit, captured)
    again = reprokit.json("show", "latest")

    assert done.stdout.startswith("identical samples: ")
    assert again["record"]["reproduces"] == reprokit.json("show", captured)["identity"]
    assert again["record"]["sources"][0]["tree"] == reprokit.json("show", captured)["record"]["sources"][0]["tree"]
    events = [
        json.loads(line) for path in reprokit.archive.glob("ledger/*/*.jsonl") for line in path.read_text().splitlines()
    ]
    assert [event["detail"]["verdict"] for event in events if event["event"] == "reproduced"] == ["identical samples"]
    assert reprokit("status").returncode == 0


def test_a_run_that_comes_out_otherwise_is_different_and_exits_with_1(reprokit, evaluation):
    (evaluation / "answers.py").write_text("import os\nOFFSET = int(os.path.basename(os.getcwd()) == 'source')\n")
    reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation)

    done = reproduce(reprokit, "latest", check=1)

    assert done.stdout.startswith("different: ")
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


def test_a_run_of_which_only_outputs_are_there_says_why_it_cannot_be_run(reprokit, tmp_path):
    outputs = tmp_path / "recorded"
    shutil.copytree("tests/recorded/lmms_eval", outputs)
    reprokit("capture", "--from", outputs)

    done = reproduce(reprokit, "latest", check=21)

    assert "captured from finished outputs" in done.stderr


def test_a_missing_input_is_told_before_anything_runs(reprokit, evaluation, tmp_path):
    data = tmp_path / "elsewhere.jsonl"
    data.write_text("{}\n")
    (evaluation / "evaluate.py").write_text("import sys\nopen(sys.argv[2]).read()\nopen('ran', 'w').close()\n")
    reprokit("capture", "--", "python", "evaluate.py", "--data", data, directory=evaluation)
    data.unlink()

    done = reproduce(reprokit, "latest", check=21)

    assert f"`{data}` is not on this machine" in done.stderr


def test_the_script_runs_by_itself_and_gives_the_same_predictions(reprokit, captured, evaluation, tmp_path):
    script = tmp_path / "again.sh"
    script.write_text(reprokit("reproduce", captured, "--script").stdout.replace("uv pip install", ": uv pip install"))
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


def a_source(**changes):
    source = Source(
        name="evals",
        root="/home/ada/evals",
        commit="a" * 40,
        tree="b" * 40,
        swhid="swh:1:dir:" + "b" * 40,
        dirty=False,
        patch=None,
        git_bundle=None,
    )
    return msgspec.structs.replace(source, **changes)


def placed(record, **invocation):
    changed = msgspec.structs.replace(record, invocation=msgspec.structs.replace(record.invocation, **invocation))
    return rerun.plan(changed, [a_source()])


def test_outputs_are_redirected_and_places_of_the_checkout_follow_it(record):
    again = placed(
        record(),
        argv=["python", "/home/ada/evals/run.py", "--out=/data/results", "--tasks", "k=/home/ada/evals/tasks"],
        program="/usr/bin/python",
        program_in="system",
        source="evals",
        outputs=[Output(path="/data/results", argument=2, prefix="--out=")],
        environment_variables=[
            Variable(name="PYTHONPATH", value="/home/ada/evals/lib:src"),
            Variable(name="HF_HOME", value="/scratch/hf"),
            Variable(name="A;rm", value="x"),
        ],
    )

    assert again.argv[1] == (rerun.Place("source", "run.py"),)
    assert again.argv[2] == ("--out=", rerun.Place("outputs", "results"))
    assert again.argv[4] == ("k=", rerun.Place("source", "tasks"))
    assert dict(again.variables) == {"PYTHONPATH": (rerun.Place("source", "lib"), ":", "src")}
    assert set(again.dropped) == {"HF_HOME", "A;rm"}
    assert again.obstacles == ()


def test_an_absolute_output_that_no_argument_names_is_refused(record):
    again = placed(record(), outputs=[Output(path="/data/results.json")])

    assert "cannot be redirected" in again.obstacles[0]


def test_the_script_quotes_everything_a_hostile_record_says(record, tmp_path):
    hostile = "x'; touch owned; echo '$(touch owned)`touch owned`\n touch owned"
    changed = record()
    changed = msgspec.structs.replace(
        changed,
        invocation=msgspec.structs.replace(
            changed.invocation,
            argv=["true", hostile, ["k=", SecretSlot(secret="A;touch owned")]],
            program_in="system",
            source=hostile,
            environment_variables=[Variable(name="GOOD", value=hostile)],
            directory_in_source=".",
        ),
    )
    environment = Environment(learnt_from="nothing", packages=Unknown(unknown=hostile))
    source = a_source(name=hostile, commit=None, tree=hostile, remotes={"origin": hostile})
    script = tmp_path / "s.sh"
    script.write_text(reproduce_script.text(changed, environment, [source], payload=hostile))

    subprocess.run(
        ["bash", script, tmp_path / "w"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "A_touch_owned": "v"},
        capture_output=True,
        check=False,
    )

    assert not list(tmp_path.rglob("owned"))
    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0


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
