"""Captures on machines that are not one's own: job arrays, preemption, kills, several nodes. All with real signals."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from reprokit.archive import owner, publication
from reprokit.archive.layout import Archive
from reprokit.archive.owner import Life, Owner
from reprokit.bundle import canonical

PATIENCE = 120

TRAPS = """\
import json, signal, sys, time

def stop(number, frame):
    print("stopping", flush=True)
    json.dump({"sums": {"acc": 0.25}}, open("metrics.json", "w"))
    sys.exit(int(sys.argv[1]))

signal.signal(signal.SIGTERM, stop)
print("begun", flush=True)
time.sleep(300)
"""
WAITS = """\
import json, os, sys, time

print("begun", os.environ.get("API_KEY", ""), flush=True)
while not os.path.exists("go"):
    time.sleep(0.02)
json.dump({"sums": {"acc": 0.5}}, open("metrics.json", "w"))
print("ended", flush=True)
sys.exit(int(sys.argv[1]))
"""
MANY = """\
import json

with open("predictions.jsonl", "w") as file:
    file.writelines(json.dumps({"id": n, "response": "x" * 200, "score": 1}) + "\\n" for n in range(60_000))
json.dump({"acc": 1}, open("metrics.json", "w"))
"""
COUNTS = """\
import json, os, signal, sys, time

if sys.argv[1] == "apart":
    os.setsid()
times = []
signal.signal(signal.SIGTERM, lambda *_: times.append(time.monotonic()))
print("begun", os.getpid(), flush=True)
while not times or time.monotonic() < times[0] + 1:
    time.sleep(0.02)
json.dump({"sums": {"signals": len(times)}}, open("metrics.json", "w"))
"""
TASK = """\
import json, os

task = os.environ["SLURM_ARRAY_TASK_ID"]
json.dump({"sums": {"task": int(task)}}, open(f"metrics-{task}.json", "w"))
"""
NODES = """\
import json, os, subprocess, sys

if "SLURM_PROCID" not in os.environ:
    ranks = [
        subprocess.Popen([sys.executable, __file__], env={**os.environ, "SLURM_PROCID": str(n), "SLURM_NODEID": str(n // 2)})
        for n in range(4)
    ]
    sys.exit(max(rank.wait() for rank in ranks))
rank = os.environ["SLURM_PROCID"]
if os.environ["SLURM_NODEID"] == "1":
    # On a second machine, the probe would name that one.
    import glob

    for path in glob.glob(os.path.join(os.environ["REPROKIT_PROBE_DIRECTORY"], f"*-{os.getpid()}-*.json")):
        facts = json.load(open(path))
        json.dump({**facts, "host": "node2", "ended": facts["started"] + 1}, open(path, "w"))
    os._exit(0)
with open("predictions.jsonl", "a") as file:
    file.write(json.dumps({"id": int(rank), "score": 1}) + "\\n")
if rank == "0":
    json.dump({"acc": 1}, open("metrics.json", "w"))
"""


@pytest.fixture
def folder(evaluation):
    """Give a checkout with an uncommitted change and the programs above in it."""
    for name, text in {
        "traps": TRAPS,
        "waits": WAITS,
        "many": MANY,
        "counts": COUNTS,
        "task": TASK,
        "nodes": NODES,
    }.items():
        (evaluation / f"{name}.py").write_text(text)
    return evaluation


@pytest.fixture
def archive(reprokit):
    return Archive(reprokit.archive)


def start(reprokit, directory, *words, **variables):
    """Start a capture, in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "reprokit", "capture", *words],
        cwd=directory,
        env=reprokit.environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def stagings(archive, name):
    return list(archive.staging.glob(f"*/{name}"))


def latest(reprokit):
    return reprokit.json("show", "latest")["record"]


def codes(record):
    return {each["code"] for each in record["findings"]}


def commits(archive, git):
    return git(archive.root, "log", "--format=%s").splitlines()


# --- arrays ------------------------------------------------------------------------------------------------------------


def test_the_tasks_of_an_array_publish_and_one_sync_registers_them_all_in_one_commit(reprokit, folder, archive, git):
    before = commits(archive, git)
    tasks = [
        start(
            reprokit,
            folder,
            "--defer",
            "--results",
            f"metrics-{task}.json",
            "--",
            "python",
            "task.py",
            SLURM_JOB_ID=f"47{task}",
            SLURM_ARRAY_JOB_ID="47",
            SLURM_ARRAY_TASK_ID=str(task),
        )
        for task in range(5)
    ]
    told = [task.communicate(timeout=PATIENCE)[1] for task in tasks]

    assert [task.returncode for task in tasks] == [0] * 5
    assert all("left to `reprokit sync`" in each for each in told), told
    assert commits(archive, git) == before
    assert not list(archive.bundles.glob("*/*.dvc"))

    done = reprokit.json("sync", "--offline")

    assert len(done["registered"]) == 5
    assert commits(archive, git) == ["capture 5 bundles", *before]
    reprokit("validate", "--all")
    launched = [json.loads((archive.payload(each) / "data/bundle.json").read_bytes()) for each in done["registered"]]
    assert {each["run"]["launcher"]["SLURM_ARRAY_TASK_ID"] for each in launched} == set("01234")
    assert reprokit("sync", "--offline").stdout == "nothing was left to do\n"


# --- preemption --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [0, 143])
def test_an_evaluation_that_stops_in_an_orderly_way_when_asked_is_captured_flagged_and_unfinished(
    reprokit, folder, archive, git, status
):
    before = commits(archive, git)
    running = start(
        reprokit, folder, "--results", "metrics.json", "--", "python", "traps.py", str(status), SLURM_JOB_ID="4711"
    )
    assert running.stdout.readline() == "begun\n"
    running.send_signal(signal.SIGTERM)
    _, told = running.communicate(timeout=PATIENCE)

    assert running.returncode == status
    assert "published, not yet committed: it was asked to stop" in told
    assert commits(archive, git) == before, "registering takes time that may not be there"
    reprokit("sync", "--offline")
    record = latest(reprokit)
    (asked,) = [each["message"] for each in record["findings"] if each["code"] == "W345"]
    assert "`SIGTERM`" in asked
    assert "SLURM job 4711" in asked
    assert ("W310" in codes(record)) == (status != 0)
    assert record["run"]["complete"] is False
    reprokit("validate", "latest")


def everyone(running):
    """The processes of a capture's group, as a scheduler lists them."""
    found = []
    for pid in (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()):
        with suppress(ProcessLookupError):
            found += [pid] if os.getpgid(pid) == running.pid else []
    assert len(found) >= 3, "us, the evaluation, and what stands by"
    return found


@pytest.mark.parametrize("whom", ["us", "group", "each", "each, us last", "group, the evaluation apart"])
def test_an_evaluation_gets_a_signal_once_whether_it_was_sent_to_us_or_to_every_process_of_the_job(
    reprokit, folder, whom
):
    how = "apart" if "apart" in whom else "with us"
    running = start(reprokit, folder, "--results", "metrics.json", "--", "python", "counts.py", how)
    assert running.stdout.readline().startswith("begun")
    if whom == "us":
        running.send_signal(signal.SIGTERM)
    elif whom.startswith("group"):
        os.killpg(running.pid, signal.SIGTERM)
    else:
        for pid in sorted(everyone(running), reverse="last" in whom):
            os.kill(pid, signal.SIGTERM)
    _, told = running.communicate(timeout=PATIENCE)

    assert running.returncode == 0
    assert "reprokit: captured" in told
    assert json.loads((folder / "metrics.json").read_text()) == {"sums": {"signals": 1}}
    assert "W345" in codes(latest(reprokit))


def test_a_second_signal_to_every_process_reaches_the_evaluation_a_second_time_only(reprokit, folder):
    running = start(reprokit, folder, "--results", "metrics.json", "--", "python", "counts.py", "with us")
    assert running.stdout.readline().startswith("begun")
    for _ in range(2):
        os.killpg(running.pid, signal.SIGTERM)
        time.sleep(0.4)
    running.communicate(timeout=PATIENCE)

    assert json.loads((folder / "metrics.json").read_text()) == {"sums": {"signals": 2}}


def test_an_evaluation_that_alone_was_terminated_was_asked_to_stop_too(reprokit, folder):
    reprokit("capture", "--", "bash", "-c", "kill -TERM $$", directory=folder, check=-signal.SIGTERM)

    assert {"W310", "W345"} <= codes(latest(reprokit))


def test_a_key_asks_to_stop_and_presses_nobody(reprokit, folder, archive, git):
    # The kernel, not a process, is the sender of what a key sends; a terminal is needed for that.
    script = f"cd {folder} && {shlex.quote(sys.executable)} -m reprokit capture -- python traps.py 0"
    main, side = os.openpty()
    running = subprocess.Popen(
        ["setsid", "--ctty", "bash", "-c", script],
        env=reprokit.environment(),
        stdin=side,
        stdout=side,
        stderr=side,
    )
    os.close(side)
    seen = b""
    while b"begun" not in seen:
        seen += os.read(main, 1024)
    os.write(main, b"\x03")
    while True:
        try:
            seen += os.read(main, 1024)
        except OSError:
            break
    running.wait(timeout=PATIENCE)
    os.close(main)

    assert "W345" in codes(latest(reprokit))
    assert b"not yet committed" not in seen
    assert commits(archive, git)[0].startswith("capture ")


def test_a_request_to_stop_while_the_run_is_captured_neither_stops_that_nor_is_about_the_run(reprokit, folder, archive):
    running = start(
        reprokit, folder, "--results", "metrics.json", "--samples", "predictions.jsonl", "--", "python", "many.py"
    )
    wait_for(lambda: stagings(archive, "over.json"))
    for _ in range(2):
        running.send_signal(signal.SIGTERM)
    _, told = running.communicate(timeout=PATIENCE)

    assert running.returncode == 0
    assert "reprokit: captured" in told
    assert "published, not yet committed: it was asked to stop" in told
    reprokit("sync", "--offline")
    record = latest(reprokit)
    assert record["run"]["complete"] is True
    assert "W345" not in codes(record)


# --- kills -------------------------------------------------------------------------------------------------------------


def test_a_capture_whose_reprokit_was_killed_is_finished_by_sync(reprokit, folder, archive, git):
    running = start(reprokit, folder, "--results", "metrics.json", "--tag", "kept", "--", "python", "waits.py", "3")
    assert running.stdout.readline().startswith("begun")
    running.kill()
    running.wait(timeout=PATIENCE)

    waiting = reprokit("sync", "--offline", check=1)
    assert "its evaluation still runs" in waiting.stdout
    assert "its evaluation still runs" in reprokit("status", check=1).stdout

    (folder / "go").touch()
    assert running.communicate(timeout=PATIENCE)[0] == "ended\n"
    wait_for(lambda: publication.abandoned(archive)[0].gone)
    assert "`reprokit sync` finishes it" in reprokit("status", check=1).stdout
    done = reprokit.json("sync", "--offline")

    (finished,) = done["finished"]
    record = latest(reprokit)
    assert [done["registered"], finished["reason"]] == [finished["bundles"], None]
    assert "W346" in codes(record)
    assert record["origin"] == "live"
    assert "unknown" in record["run"]["exit_code"]
    assert record["run"]["complete"] is False
    assert record["invocation"]["argv"] == ["python", "waits.py", "3"]
    assert record["invocation"]["program_in"] == "environment"
    assert record["environment_summary"]["python"] == ".".join(map(str, sys.version_info[:3]))
    (source,) = record["sources"]
    assert source["dirty"] is True
    shown = reprokit.json("show", "latest")
    data = Path(shown["path"]) / "data"
    assert (data / "process/stdout.log").read_text() == "begun \nended\n"
    assert "OFFSET = 1" in next(data.glob("source/*.patch")).read_text()
    assert json.loads((data / "harness/metrics.json").read_text()) == {"sums": {"acc": 0.5}}
    assert [entry["tags"] for entry in reprokit.json("list")] == [["kept"]]
    reprokit("validate", "latest")
    assert list(archive.staging.iterdir()) == []
    assert reprokit("status").returncode == 0


def test_a_capture_that_was_killed_after_the_evaluation_keeps_its_exit_status(reprokit, folder, archive):
    (folder / "many.py").write_text(MANY + "raise SystemExit(3)\n")
    running = start(
        reprokit, folder, "--results", "metrics.json", "--samples", "predictions.jsonl", "--", "python", "many.py"
    )
    wait_for(lambda: stagings(archive, "over.json"))
    running.kill()
    running.communicate(timeout=PATIENCE)

    reprokit("sync", "--offline")
    record = latest(reprokit)

    assert record["run"]["exit_code"] == 3
    assert {"W310", "W346"} <= codes(record)
    assert "unknown" not in str(record["run"]["ended"])
    reprokit("validate", "latest")
    assert len(reprokit.json("list")) == 1


def interrupted(reprokit, folder, archive, **variables):
    """Leave a capture behind whose reprokit was killed, and whose evaluation is over."""
    running = start(reprokit, folder, "--results", "metrics.json", "--", "python", "waits.py", "0", **variables)
    assert running.stdout.readline().startswith("begun")
    wait_for(lambda: canonical.decode(stagings(archive, "owner.json")[0].read_bytes(), Owner).evaluation)
    running.kill()
    (folder / "go").touch()
    running.communicate(timeout=PATIENCE)
    (staging,) = archive.staging.iterdir()
    wait_for(lambda: publication.abandoned(archive)[0].gone)
    return staging


SECRET = "sk-Zq3vN8xT1mB6yK0wR5pL2dF9hJ4cG7sA"


def test_what_is_noted_holds_no_secret_and_what_cannot_be_searched_for_it_later_is_left_out(reprokit, folder, archive):
    (folder / "answers.py").write_text(f"OFFSET = 1  # {SECRET}\n")
    staging = interrupted(reprokit, folder, archive, API_KEY=SECRET)
    assert SECRET not in "".join(path.read_text() for path in staging.glob("*.json"))

    reprokit("sync", "--offline")

    record = latest(reprokit)
    (told,) = [each["message"] for each in record["findings"] if each["code"] == "W346"]
    assert "`API_KEY`" in told
    path = Path(reprokit.json("show", "latest")["path"])
    assert not (path / "data/process/stdout.log").exists()
    assert not list(path.glob("data/source/*.patch"))
    assert all(SECRET.encode() not in each.read_bytes() for each in path.rglob("*") if each.is_file())


def test_with_the_secret_at_hand_the_output_is_kept_without_it(reprokit, folder, archive):
    interrupted(reprokit, folder, archive, API_KEY=SECRET)

    reprokit("sync", "--offline", API_KEY=SECRET)

    log = Path(reprokit.json("show", "latest")["path"]) / "data/process/stdout.log"
    assert SECRET not in log.read_text()
    assert "begun" in log.read_text()


def rewrite(staging, **changes):
    described = canonical.decode((staging / "owner.json").read_bytes(), Owner)
    (staging / "owner.json").write_bytes(canonical.record(msgspec.structs.replace(described, **changes)))


def test_a_capture_of_another_machine_is_finished_when_somebody_says_that_nothing_runs_there(reprokit, folder, archive):
    staging = interrupted(reprokit, folder, archive)
    described = canonical.decode((staging / "owner.json").read_bytes(), Owner)
    there = {
        name: msgspec.structs.replace(getattr(described, name), host="node17") for name in ("process", "evaluation")
    }
    rewrite(staging, **there)

    seen = reprokit("sync", "--offline")
    assert "on node17: if nothing runs there any more, add `--ended node17`" in seen.stdout
    assert reprokit.json("list") == []

    assert "finished" in reprokit("sync", "--offline", "--ended", "node17").stdout
    assert len(reprokit.json("list")) == 1


def test_a_capture_that_never_began_leaves_nothing(reprokit, folder, archive):
    staging = interrupted(reprokit, folder, archive)
    rewrite(staging, evaluation=None)
    for name in ("probes", "logs"):
        shutil.rmtree(staging / name)
    (folder / "metrics.json").unlink()

    done = reprokit("sync", "--offline")

    assert "its evaluation never began" in done.stdout
    assert reprokit.json("list") == []
    assert list(archive.staging.iterdir()) == []


def test_a_note_that_cannot_be_read_is_told_and_left_alone(reprokit, folder, archive):
    staging = interrupted(reprokit, folder, archive)
    (staging / "begun.json").write_text("{")

    assert "what it noted cannot be read" in reprokit("sync", "--offline", check=1).stdout
    assert staging.is_dir()
    kept = reprokit("status", "--clear", check=1).stderr
    assert str(staging) in kept
    assert "`reprokit status --clear --yes`" in kept
    assert staging.is_dir()
    assert reprokit("status", "--clear", "--yes").returncode == 0
    assert not staging.exists()


# --- machines ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bare_machine(monkeypatch):
    """Be outside of any container, whatever runs the tests."""
    monkeypatch.setattr(owner, "_namespace", lambda: owner._FIRST_NAMESPACE)
    monkeypatch.setattr(owner, "_machine", lambda: "0f" * 16)


def test_who_ran_before_the_machine_was_started_again_has_ended(bare_machine):
    before = msgspec.structs.replace(owner.process(os.getpid()), boot="an earlier one")

    assert owner.life(owner.process(os.getpid())) is Life.ALIVE
    assert owner.life(before) is Life.DEAD


@pytest.mark.parametrize(
    "change",
    [
        {"host": "elsewhere"},
        {"machine": "1e" * 16},
        {"machine": None},
        {"namespace": "pid:[4026532000]"},
        {"boot": None},
    ],
    ids=str,
)
def test_another_machine_or_a_container_of_the_same_name_is_not_taken_for_an_earlier_boot(bare_machine, change):
    before = msgspec.structs.replace(owner.process(os.getpid()), boot="an earlier one")

    assert owner.life(msgspec.structs.replace(before, **change)) is Life.UNKNOWN


def test_from_within_a_container_no_boot_is_judged(bare_machine, monkeypatch):
    before = msgspec.structs.replace(owner.process(os.getpid()), boot="an earlier one", namespace="pid:[4026532000]")
    monkeypatch.setattr(owner, "_namespace", lambda: "pid:[4026532000]")

    assert owner.life(before) is Life.UNKNOWN


def test_the_processes_of_several_nodes_become_one_environment(reprokit, folder):
    reprokit(
        "capture", "--results", "metrics.json", "--samples", "predictions.jsonl", "--", "python", "nodes.py",
        directory=folder, SLURM_JOB_ID="4711", SLURM_NTASKS="4", SLURM_JOB_NUM_NODES="2",
    )  # fmt: skip

    shown = reprokit.json("show", "latest")
    environment = json.loads((Path(shown["path"]) / "data/environment/environment.json").read_text())
    assert environment["interpreter"]["processes"] == 5
    assert any("platform and hardware of `node2`" in each for each in environment["missing"])
    assert (
        shown["record"]["run"]["launcher"] | {"SLURM_NTASKS": "4", "SLURM_JOB_NUM_NODES": "2"}
        == (shown["record"]["run"]["launcher"])
    )
    reprokit("validate", "latest")


def test_a_capture_of_which_even_the_finishing_was_killed_is_finished_all_the_same(reprokit, folder, archive):
    staging = interrupted(reprokit, folder, archive)
    again = (
        "import os, signal\nfrom pathlib import Path\nfrom reprokit.archive.layout import Archive\n"
        "from reprokit.capture.interrupted import finishing\nfrom reprokit.probes.secrets import Secrets\n"
        "finishing.assemble = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"finishing.finish_all(Archive(Path({str(archive.root)!r})), Secrets())\n"
    )
    killed = subprocess.run([sys.executable, "-c", again], env=reprokit.environment(), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (staging / "begun.json").exists()

    reprokit("sync", "--offline")

    assert "W346" in codes(latest(reprokit))
    assert list(archive.staging.iterdir()) == []
