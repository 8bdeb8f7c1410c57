"""A capture with a mirror: the bundle waits in the outbox, is sent apart, and the evaluation never notices."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "contracts" / "folder_mirror.py"
COMMAND = (sys.executable, "evaluate.py")
PATIENCE = 120.0


@pytest.fixture
def folder_mirror():
    """The module of the mirror in a folder, which other processes find by its entry point."""
    specification = importlib.util.spec_from_file_location("folder_mirror_for_captures", SOURCE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def service(folder_mirror, tmp_path):
    """A mirror that is up."""
    return folder_mirror.Service(tmp_path / "service")


@pytest.fixture
def variables(folder_mirror, service, tmp_path):
    """The variables by which a capture finds the mirror."""
    site = folder_mirror.installed(tmp_path / "site")
    return {
        "PYTHONPATH": str(site),
        "FOLDER_MIRROR": str(service.folder),
        "REPROKIT_MIRROR": "folder",
    }


def waiting(reprokit) -> list[str]:
    return sorted(path.stem for path in (reprokit.archive / ".reprokit" / "outbox").glob("folder/*.json"))


def mirrored(reprokit) -> list[dict]:
    lines = [
        json.loads(line)
        for path in reprokit.archive.glob("ledger/*/*-mirrored-*.jsonl")
        for line in path.read_text().splitlines()
    ]
    return sorted(lines, key=lambda each: each["time"])


def settled(condition) -> bool:
    """Wait for what another process is to do."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.1)
    return False


def ids(reprokit, **variables) -> list[str]:
    done = reprokit("list", "--json", **variables)
    return sorted(each["id"] for each in json.loads(done.stdout))


def test_a_bundle_is_mirrored_when_its_run_is_over(reprokit, evaluation, service, variables):
    done = reprokit("capture", "--", *COMMAND, directory=evaluation, **variables)
    assert "queued for folder (" in done.stderr
    assert "in the background" in done.stderr
    assert settled(lambda: len(mirrored(reprokit)) == 1 and not waiting(reprokit))
    (event,) = mirrored(reprokit)
    assert [event["bundle"]] == ids(reprokit, **variables)
    (version,) = service.versions()
    assert service.about(version)["identity"] == event["identity"]
    reference = event["detail"]["reference"]
    assert reference.endswith(":v0")
    assert f"mirrored     {reference}" in reprokit("show", "latest", **variables).stdout
    (copy,) = json.loads(reprokit("show", "latest", "--json", **variables).stdout)["mirrored"]
    assert (copy["reference"], copy["page"]) == (reference, f"file://{version}")


def test_a_service_that_hangs_or_is_away_keeps_nobody_waiting_and_the_bundle_waits(
    reprokit, evaluation, service, variables
):
    service.fail("probe", "hang")
    away = variables | {"FOLDER_MIRROR": str(service.folder / "nowhere")}
    for each in (variables, away):
        done = reprokit("capture", "--", *COMMAND, "7", directory=evaluation, **each)
        assert "captured" in done.stderr
    assert settled(lambda: len(service.asked("probe")) >= 1)
    assert waiting(reprokit) == ids(reprokit, **variables)
    assert mirrored(reprokit) == []
    reprokit("sync", "--offline", **variables)  # which asks nobody
    assert mirrored(reprokit) == []


@pytest.mark.parametrize(
    ("kind", "status"), [("refuse", 7), ("bug", 7), ("exit", 7), ("kill", 7), ("kill", 0), ("away", 7)]
)
def test_no_fault_of_a_mirror_changes_the_exit_status_or_loses_the_bundle(
    reprokit, evaluation, service, variables, kind, status
):
    # Longer than anybody waits: so it is given up at once.
    service.fail("push", kind, times=50, after=3600)
    script = f"import runpy; runpy.run_path('evaluate.py'); raise SystemExit({status})"
    command = ("--", sys.executable, "-c", script)
    done = reprokit("capture", "--wait", *reprokit.files, *command, directory=evaluation, check=status, **variables)
    assert "captured" in done.stderr
    assert waiting(reprokit) == ids(reprokit, **variables)
    assert mirrored(reprokit) == []
    service.heal()
    reprokit("sync", "--offline", check=None, **variables)
    reprokit("sync", "--mirrors-only", check=None, **variables)
    if kind not in {"refuse", "bug"}:
        assert len(mirrored(reprokit)) == 1
        assert waiting(reprokit) == []


def test_with_defer_nothing_is_asked_and_sync_sends_it(reprokit, evaluation, service, variables):
    done = reprokit("capture", "--defer", "--", *COMMAND, directory=evaluation, **variables)
    assert "`reprokit sync` sends it" in done.stderr
    assert service.asked() == []
    # What was settled in the job counts: the login node need not know the address.
    elsewhere = {name: value for name, value in variables.items() if name != "FOLDER_MIRROR"}
    reprokit("sync", check=None, **elsewhere)
    assert len(mirrored(reprokit)) == 1
    assert waiting(reprokit) == []


def test_disabled_is_told_and_nothing_waits(reprokit, evaluation, service, variables):
    disabled = variables | {"FOLDER_MIRROR_MODE": "disabled"}
    done = reprokit("capture", "--", *COMMAND, directory=evaluation, **disabled)
    assert "nothing is copied to `folder`" in done.stderr
    assert waiting(reprokit) == []
    assert service.asked() == []


def test_settings_that_cannot_be_followed_are_told_and_the_run_is_captured(reprokit, evaluation, service, variables):
    with (reprokit.archive / "reprokit.toml").open("a") as settings:
        settings.write('\n[mirror.folder]\ncolection = "evals"\n')
    done = reprokit("capture", "--", *COMMAND, directory=evaluation, **variables)
    assert "captured" in done.stderr
    assert "did you mean `collection`?" in done.stderr
    # It is said before the evaluation starts, and again when it is over.
    assert done.stderr.index("not queued for its mirror") < done.stderr.index("a word of warning")
    assert "push --mirror folder" in done.stderr
    assert len(ids(reprokit, **variables)) == 1
    assert waiting(reprokit) == []


def test_a_flag_goes_before_the_settings(reprokit, evaluation, service, variables):
    asked = {name: value for name, value in variables.items() if name != "REPROKIT_MIRROR"}
    own = reprokit.home / ".config/reprokit/reprokit.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[capture]\nmirror = "folder"\ndefer = true\n')
    reprokit("capture", "--no-mirror", *reprokit.files, "--", *COMMAND, directory=evaluation, **asked)
    assert waiting(reprokit) == []
    reprokit("capture", *reprokit.files, "--", *COMMAND, "1", directory=evaluation, **asked)
    assert len(waiting(reprokit)) == 1


def test_a_mirror_that_nobody_knows_is_told_and_the_run_is_captured(reprokit, evaluation, variables):
    done = reprokit("capture", "--", *COMMAND, directory=evaluation, **variables | {"REPROKIT_MIRROR": "wandbb"})
    assert "there is no mirror `wandbb`" in done.stderr
    assert len(ids(reprokit, **variables)) == 1


def test_a_capture_that_was_killed_is_mirrored_once_it_is_finished(reprokit, evaluation, service, variables):
    (evaluation / "slow.py").write_text("import runpy, time\nrunpy.run_path('evaluate.py')\ntime.sleep(600)\n")
    command = [sys.executable, "-m", "reprokit", "capture", *reprokit.files, "--", sys.executable, "slow.py"]
    running = subprocess.Popen(
        command,
        cwd=evaluation,
        env=reprokit.environment(**variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        assert settled((evaluation / "metrics.json").exists)
    finally:
        # With the evaluation: nobody is left to tell how it ended.

        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    said: list[str] = []

    def is_finished() -> bool:
        done = reprokit("sync", check=None, **variables)
        said.append(done.stdout + done.stderr)
        return "finished" in done.stdout

    assert settled(is_finished), said
    assert settled(lambda: len(mirrored(reprokit)) == 1)
    assert waiting(reprokit) == []


def test_a_block_of_a_program_waits_for_its_mirror(reprokit, evaluation, service, variables):
    (evaluation / "block.py").write_text(
        "import reprokit\n"
        "with reprokit.capture(mirror=True, strict=True) as run:\n"
        "    run.sample(id=0, prompt='1+1=', target='2', response='2', scores={'exact_match': 1.0})\n"
        "print(run.bundle_id)\n"
    )
    done = subprocess.run(
        [sys.executable, "block.py"],
        cwd=evaluation,
        env=reprokit.environment(**variables | {"PYTHONPATH": f"{variables['PYTHONPATH']}:{Path.cwd()}"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert waiting(reprokit) == [done.stdout.split()[-1]]
    assert service.asked() == []


def test_finished_runs_are_queued_even_those_that_were_captured_before(reprokit, evaluation, service, variables):
    quiet = {name: value for name, value in variables.items() if name != "REPROKIT_MIRROR"}
    reprokit("capture", *reprokit.files, "--", *COMMAND, directory=evaluation, **quiet)
    (evaluation / "reprokit.toml").write_text('[script]\nresults = "metrics.json"\nsamples = "predictions.jsonl"\n')
    reprokit("capture", "--defer", "--from", ".", directory=evaluation, **variables)
    assert waiting(reprokit)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_waits_for_the_mirror_may_stop_waiting_and_the_status_is_still_the_run_s(
    reprokit, evaluation, service, variables, number
):
    service.fail("push", "hang")
    script = "import runpy; runpy.run_path('evaluate.py'); raise SystemExit(7)"
    running = subprocess.Popen(
        [sys.executable, "-m", "reprokit", "capture", "--wait", *reprokit.files, "--", sys.executable, "-c", script],
        cwd=evaluation,
        env=reprokit.environment(**variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert settled(lambda: service.asked("push") != [])
        os.kill(running.pid, number)
        said = running.communicate(timeout=PATIENCE)[1]
    finally:
        running.kill()
    assert running.returncode == 7
    assert "interrupted" in said
    assert waiting(reprokit) == ids(reprokit, **variables)
    assert mirrored(reprokit) == []


def test_to_wait_for_no_mirror_is_a_slip_that_is_told_before_anything_runs(reprokit, evaluation, variables):
    asked = {name: value for name, value in variables.items() if name != "REPROKIT_MIRROR"}
    done = reprokit("capture", "--wait", "--", *COMMAND, directory=evaluation, check=2, **asked)
    assert "add `--mirror`" in done.stderr
    assert not (evaluation / "metrics.json").exists()


def test_what_this_machine_lacks_is_told_at_once_and_nothing_is_started(reprokit, evaluation, service, variables):
    unready = variables | {"FOLDER_MIRROR_UNREADY": "1"}
    done = reprokit("capture", "--", *COMMAND, directory=evaluation, **unready)
    assert "it cannot be sent yet: its key is missing" in done.stderr
    assert "in the background" not in done.stderr
    assert waiting(reprokit) == ids(reprokit, **variables)
    assert service.asked() == []
