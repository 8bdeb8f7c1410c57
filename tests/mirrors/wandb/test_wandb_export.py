"""What is written offline is sent by W&B's own program, and only then, and only once asked, called mirrored."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reprokit.mirrors.interface import Room

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

NAME = "lab/evals/lm_eval-tiny-gpt2"


@pytest.fixture
def send(desk):
    """Give a function that types the command that an export tells, as a person would."""

    def send(exported, *, instead_of=None, now_in=None):
        command = exported.command.replace(str(instead_of), str(now_in)) if instead_of else exported.command
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        variables = {name: value for name, value in desk.environment.items() if name != "WANDB_BASE_URL"} | {
            "PATH": programs
        }
        done = subprocess.run(["sh", "-c", command], env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Finished syncing" in done.stdout + done.stderr

    return send


def rows(run):
    return [row for row in run["history"] if row]


@pytest.mark.parametrize("client", ["oldest"], indirect=True)
def test_an_export_is_sent_later_from_wherever_it_was_moved_and_then_checked(desk, rich, client, send, tmp_path):
    exported = desk.export(rich, tmp_path / "an export")
    assert desk.server.operations() == []
    assert exported.folder == str(tmp_path / "an export")
    assert "nothing is mirrored by this" in exported.remarks[-1]
    assert f"WANDB_BASE_URL={desk.server.address} wandb sync wandb/offline-run-" in exported.command
    shutil.move(tmp_path / "an export", tmp_path / "moved")
    shutil.rmtree(next(iter(desk.home.glob("scratch-*"))))
    send(exported, instead_of=tmp_path / "an export", now_in=tmp_path / "moved")
    sent = desk.server.state()
    stored = b"".join(desk.server.blob(md5) for md5 in sent["blobs"])
    assert str(tmp_path).encode() not in stored
    receipt = desk.push(rich)
    assert (receipt.outcome, receipt.reference) == ("there", f"wandb:{NAME}:v0")
    after = desk.server.state()
    (run,) = after["runs"].values()
    assert len(rows(run)) == 1
    assert (run["display_name"], run["group"], set(run["tags"])) == ("A small run", "g1", {"baseline", "nightly"})
    assert after["collections"][NAME]["committed"] == 1


def test_what_was_lost_on_the_way_is_added_without_repeating_the_rest(desk, rich, send, tmp_path):
    exported = desk.export(rich, tmp_path / "export")
    desk.server.fault("status", method="PUT", path="^/storage/artifact", status=403)
    send(exported)  # it says that all went well
    assert desk.server.state()["collections"][NAME]["committed"] == 0
    desk.server.heal()
    receipt = desk.push(rich)
    state = desk.server.state()
    (run,) = state["runs"].values()
    assert receipt.outcome == "sent"
    assert state["collections"][NAME]["committed"] == 1
    assert len([row for row in rows(run) if "task_0/acc,none" in row]) == 1
    assert (
        len([name for name, each in state["collections"].items() if each["type"] == "run_table" and each["committed"]])
        == 4
    )


def test_an_export_needs_neither_key_nor_server(desk, rich, tmp_path):
    desk.settings = {"base_url": "https://stranger.invalid", "entity": "lab"}
    to = desk.mirror.destination(desk.settings, {"HOME": str(desk.home)}, own=False)
    (tmp_path / "into").mkdir()
    (tmp_path / "scratch").mkdir()
    variables = {"HOME": str(desk.home), "PATH": os.environ["PATH"], "WANDB_API_KEY": desk.server.key}
    exported = desk.mirror.export(
        desk.consign(rich, original="wandb:lab/evals/x:v0"),
        to,
        variables,
        tmp_path / "into",
        Room(scratch=tmp_path / "scratch", seconds=100),
    )
    written = b"".join(path.read_bytes() for path in (tmp_path / "into").rglob("*") if path.is_file())
    assert desk.server.key.encode() not in written
    assert "online" in exported.remarks[-2]
    assert desk.server.operations() == []
