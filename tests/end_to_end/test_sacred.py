"""The evaluation is sacred: whatever befalls the capture, its status and its files are its own."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import time

import pytest

LEAVES = [
    (["bash", "-c", "exit 7"], 7),
    (["bash", "-c", "kill -TERM $$"], -signal.SIGTERM),
    (["bash", "-c", "kill -KILL $$"], -signal.SIGKILL),
    (["bash", "-c", "kill -INT $$"], -signal.SIGINT),
    (["true"], 0),
]
SLOW = (
    "import json, time, sys\n"
    "print('begun', flush=True)\n"
    "time.sleep(float(sys.argv[1]))\n"
    "open('metrics.json', 'w').write(json.dumps({'sums': {'acc': 0.5}}))\n"
    "print('ended', flush=True)\n"
)


@pytest.fixture
def slow(evaluation):
    """Give the evaluation's folder with a program in it that takes as long as it is told."""
    (evaluation / "slow.py").write_text(SLOW)
    return evaluation


def start(reprokit, directory, *command, **variables):
    return subprocess.Popen(
        [sys.executable, "-m", "reprokit", "capture", "--results", "metrics.json", *command],
        cwd=directory,
        env=reprokit.environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("command", "status"), LEAVES)
def test_the_exit_status_is_the_evaluation_s_own_and_a_failed_run_is_a_bundle_too(
    reprokit, evaluation, command, status
):
    done = reprokit("capture", "--", *command, directory=evaluation, check=None)

    assert done.returncode == status
    (entry,) = reprokit.json("list")
    assert entry["complete"] is False
    assert ("W310" in entry["findings"]) == (status != 0)
    reprokit("validate", "latest")


def test_a_command_that_cannot_start_exits_with_125_and_leaves_nothing(reprokit, evaluation):
    done = reprokit("capture", "--", "no-such-program", directory=evaluation, check=125)

    assert "`no-such-program` was not found" in done.stderr
    assert reprokit.json("list") == []
    assert reprokit("status").returncode == 0


def test_a_capture_that_cannot_be_prepared_runs_the_evaluation_all_the_same(reprokit, evaluation, tmp_path):
    done = reprokit(
        "capture", *reprokit.files, "--archive", tmp_path / "none", "--", "python", "evaluate.py", directory=evaluation
    )

    assert done.stdout == "score 0.6666666666666666\n"
    assert (evaluation / "metrics.json").exists()
    assert "NOT captured" in done.stderr
    assert "reprokit capture --from" in done.stderr


def test_an_unwritable_archive_does_not_change_the_evaluation(reprokit, evaluation):
    (reprokit.archive / ".reprokit").rename(reprokit.archive / "away")
    (reprokit.archive / ".reprokit").write_text("in the way")

    done = reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation)

    assert done.stdout == "score 0.6666666666666666\n"
    assert "NOT captured" in done.stderr


def test_strict_tells_a_failed_capture_by_its_exit_status(reprokit, evaluation, tmp_path):
    reprokit("capture", "--strict", "--archive", tmp_path / "none", "--", "true", directory=evaluation, check=23)
    reprokit("capture", "--strict", "--archive", tmp_path / "none", "--", "false", directory=evaluation, check=1)


def test_a_full_disk_does_not_change_the_evaluation_and_leaves_no_half_bundle(reprokit, evaluation):
    # A file size limit fails writes as a full disk does, and hits reprokit's own files: the log is larger than allowed.
    loud = "import sys; sys.stdout.write('x' * 3_000_000); sys.stdout.flush()"
    script = f'ulimit -f 1024; exec {shlex.quote(sys.executable)} -m reprokit capture -- python -c "{loud}"'
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=evaluation,
        env=reprokit.environment(),
        capture_output=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0
    assert done.stdout == b"x" * 3_000_000
    assert not list((reprokit.archive / "bundles").glob("*/*/bag-info.txt")) or b"captured" in done.stderr
    reprokit("validate", "--all")


def test_a_reader_that_goes_away_never_reaches_the_evaluation(reprokit, evaluation):
    chatty = "for n in range(20000): print(n)\nopen('whole', 'w').write('yes')"
    command = f'{shlex.quote(sys.executable)} -m reprokit capture -- python -c "{chatty}" 2> err.txt | head -n 1; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=evaluation,
        env=reprokit.environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert done.stdout == "0\n0\n"
    assert (evaluation / "whole").read_text() == "yes"
    path = reprokit.json("show", "latest")["path"]
    log = subprocess.run(
        ["tail", "-n", "1", f"{path}/data/process/stdout.log"], capture_output=True, text=True, check=True
    )
    assert log.stdout == "19999\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_reprokit_reaches_the_evaluation_and_the_run_is_kept(reprokit, slow, number):
    running = start(reprokit, slow, "--", "python", "slow.py", "60")
    assert running.stdout.readline() == "begun\n"
    running.send_signal(number)
    _, told = running.communicate(timeout=60)

    assert running.returncode == -number
    assert "captured" in told
    shown = reprokit.json("show", "latest")
    assert shown["record"]["run"]["signal"] == signal.Signals(number).name
    assert shown["record"]["run"]["complete"] is False


@pytest.mark.parametrize("step", range(10))
def test_killing_reprokit_at_any_moment_leaves_the_evaluation_whole_and_no_half_bundle(reprokit, slow, step):
    # From before the evaluation starts until after it is captured, spread evenly over about three seconds.
    running = start(reprokit, slow, "--", "python", "slow.py", "0.4")
    time.sleep(0.3 * step)
    running.kill()
    output = running.stdout.read()
    running.communicate()

    if "begun" in output:
        assert output == "begun\nended\n"
        assert (slow / "metrics.json").exists()
    after = reprokit("status", "--clear", check=None)
    assert after.returncode in {0, 1}, after.stderr
    for entry in reprokit.json("list"):
        reprokit("validate", entry["id"])
    again = reprokit("capture", "--results", "metrics.json", "--", "python", "slow.py", "0", directory=slow)
    assert "captured" in again.stderr
    reprokit("validate", "latest")


def snapshot(repository, git):
    """Every file of `.git`, and what git says of the working tree."""
    files = {
        str(path.relative_to(repository)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted((repository / ".git").rglob("*"))
        if path.is_file()
    }
    return files, git(repository, "--no-optional-locks", "status", "--porcelain=v2", "--branch")


def test_the_user_s_repository_is_not_touched_even_in_the_middle_of_a_merge(reprokit, evaluation, git):
    git(evaluation, "commit", "-qam", "One")
    git(evaluation, "checkout", "-qb", "other", "HEAD~1")
    (evaluation / "answers.py").write_text("OFFSET = 5\n")
    git(evaluation, "commit", "-qam", "Other")
    merge = subprocess.run(["git", "merge", "-q", "main"], cwd=evaluation, capture_output=True, check=False)
    assert merge.returncode != 0
    (evaluation / "answers.py").write_text("OFFSET = 6\n")
    (evaluation / "staged.txt").write_text("staged\n")
    git(evaluation, "add", "staged.txt")
    for name in ("pre-commit", "post-index-change", "post-checkout", "reference-transaction"):
        hook = evaluation / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {evaluation}/hook-ran\n")
        hook.chmod(0o755)
    git(evaluation, "-c", "core.hooksPath=/dev/null", "status")
    before = snapshot(evaluation, git)

    reprokit("capture", "--", "true", directory=evaluation)

    assert snapshot(evaluation, git) == before
    assert not (evaluation / "hook-ran").exists()
    (source,) = reprokit.json("show", "latest")["record"]["sources"]
    assert source["dirty"] is True
    reprokit("validate", "latest")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_run_is_being_captured_does_not_change_its_status(reprokit, slow, number):
    # Samples by the ten thousand make the capture last long enough to be hit.
    (slow / "slow.py").write_text(
        "import json\n"
        "with open('predictions.jsonl', 'w') as file:\n"
        "    file.writelines(json.dumps({'id': n, 'response': 'x' * 200, 'score': 1}) + '\\n' for n in range(60_000))\n"
        "open('metrics.json', 'w').write('{\"acc\": 1}')\n"
        "print('ended', flush=True)\n"
    )
    running = start(reprokit, slow, "--samples", "predictions.jsonl", "--", "python", "slow.py")
    assert running.stdout.readline() == "ended\n"
    time.sleep(0.5)
    running.send_signal(number)
    _, told = running.communicate(timeout=60)

    assert running.returncode == 0
    if number == signal.SIGTERM:
        assert "reprokit: captured" in told
    assert reprokit("status", "--clear", check=None).returncode in {0, 1}


def test_a_repository_that_git_cannot_read_costs_the_source_and_not_the_capture(reprokit, evaluation):
    (evaluation / ".git/HEAD").write_text("rubbish\n")

    done = reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation)
    record = reprokit.json("show", "latest")["record"]

    assert "reprokit: captured" in done.stderr
    assert "W316" in done.stderr
    assert record["sources"] == [] or "unknown" in record["sources"]
    reprokit("validate", "latest")
    # The program itself still lies where it was, unchanged: it can be run, and the plan says what is missing.
    plan = reprokit("reproduce", "latest", "--plan", "--env", "current").stdout
    assert "none: no checkout is in the bundle" in plan
    assert "a checkout that code came from is not in the bundle" in plan
    (evaluation / "evaluate.py").unlink()
    assert "evaluate.py" in reprokit("reproduce", "latest", "--plan", "--env", "current", check=21).stdout


@pytest.mark.parametrize(
    ("left_alone", "written"), [("metrics.json", "predictions.jsonl"), ("predictions.jsonl", "metrics.json")]
)
def test_what_an_earlier_run_left_is_never_taken_for_this_run_s(reprokit, evaluation, left_alone, written):
    reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation)
    again = f"import pathlib\npath = pathlib.Path({written!r})\npath.write_bytes(path.read_bytes())\n"
    (evaluation / "again.py").write_text(again)

    done = reprokit("capture", *reprokit.files, "--", "python", "again.py", directory=evaluation)
    shown = reprokit.json("show", "latest")

    assert f"W347 harness/{left_alone}" in done.stderr
    assert shown["record"]["run"]["complete"] is False
    assert {file["path"] for file in shown["record"]["files"] if file["role"] == "harness"} == {f"harness/{written}"}
    assert bool(shown["results"]["metrics"]) is (written == "metrics.json")
