"""A push that is killed at any point, or whose server is: nothing is lost, nothing is there twice, nothing is untrue.

Half of the kills happen at a request, which the server lets hang until then: so each step of a push is met. The others
happen after some time, at a moment of its own, on this side. After several of them one `sync` has to do.
"""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest


def _shared() -> Any:
    name = "mirror_archive"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("mirror_archive.py"))
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


shared = _shared()
SCORES = {"sums/exact_match": 0.5}
PUSH = ("push", "--mirror", "wandb", "latest")
REQUESTS = 72
"""So many requests are made by the push of a small bundle, at least."""
ROUNDS, KILLS = 2, 5
MOMENTS = ROUNDS * KILLS
PATIENCE = 120.0


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = shared.started_server(tmp_path_factory.mktemp("server"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def beginning(server, tmp_path_factory):
    """Somebody before their first push, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("beginning")
    before = shared.moved_in(folder / "before", server)
    before.capture()
    after = shared.moved_in(folder / "after", server, like=before)
    began = time.monotonic()
    after(*PUSH)
    seconds = time.monotonic() - began
    assert len(server.operations()) >= REQUESTS
    return before, seconds


@pytest.fixture
def ada(server, beginning, tmp_path):
    server.reset()
    return shared.moved_in(tmp_path / "ada", server, like=beginning[0])


def requests() -> list[int]:
    """Choose before which requests to kill: at random, but spread over all of them."""
    chance = random.Random(20261124)
    step = REQUESTS / MOMENTS
    return [int(number * step + chance.random() * step) for number in range(MOMENTS)]


def moments() -> list[float]:
    """Choose after which part of the time to kill."""
    chance = random.Random(20261125)
    return [(number + chance.random()) / MOMENTS for number in range(MOMENTS)]


def until(condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def ends(running: Any) -> str:
    """Wait for a program that was killed, or has ended by itself; gives what it said."""
    return "".join(running.communicate(timeout=PATIENCE))


def is_neither_lost_nor_untrue(person: Any) -> None:
    """Require that the bundle waits, or is truly mirrored, and is there once at most."""
    state = person.server.state()
    bundle = person.folder().name
    is_mirrored = shared.told_truly(person, SCORES)
    assert is_mirrored or [wish["bundle"] for wish in person.waiting] == [bundle]
    assert len(list(shared.versions(state))) <= 1
    assert len(state["runs"]) <= 1


def is_made_right(person: Any) -> None:
    """Require that one `sync` makes all right, and clears up what the killed ones left."""
    person("sync")
    shared.all_is_right(person, SCORES)
    assert person.processes() == []
    before = len(person.server.operations())
    assert "there already" in person(*PUSH).stdout
    later = person.server.operations()[before:]
    assert not [each for each in later if each.startswith(("Create", "Commit", "Upsert", "PUT", "POST"))]


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_killed_at_a_request(round_, ada, server):
    # Each goes on with what the ones before it have left there.
    for number in requests()[round_::ROUNDS]:
        server.heal()
        server.fault("hang", after=number)
        running = ada.begin(*PUSH)
        until(lambda running=running: server.faults()[0]["happened"] or running.poll() is not None)
        ada.kill_everything()
        ends(running)
        server.heal()
        is_neither_lost_nor_untrue(ada)
    is_made_right(ada)


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_killed_at_a_moment(round_, ada, beginning):
    for part in moments()[round_::ROUNDS]:
        queued = [wish["queued"] for wish in ada.waiting]
        running = ada.begin(*PUSH)
        time.sleep(part * beginning[1])
        ada.kill_everything()
        ends(running)
        if queued or ada.waiting or ada.mirrored:  # else it was killed before it had read what was wanted of it
            is_neither_lost_nor_untrue(ada)
    ada(*PUSH, check=None)
    is_made_right(ada)


@pytest.mark.parametrize("stage", ["CreateArtifact", "CommitArtifact", "FetchArtifactManifest"])
def test_with_only_the_command_killed_nothing_of_it_lives_on(stage, ada, server):
    server.fault("hang", operation=stage)
    running = ada.begin(*PUSH)
    until(lambda: server.faults()[0]["happened"])
    os.kill(running.pid, signal.SIGKILL)
    ends(running)
    until(lambda: not ada.processes())
    assert (ada.home / "passing").is_dir()
    assert list((ada.home / "passing").iterdir()) == []
    server.heal()
    is_neither_lost_nor_untrue(ada)
    is_made_right(ada)


@pytest.mark.parametrize("stage", ["CreateArtifactFiles", "CommitArtifact", "FetchArtifactManifest"])
@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT], ids=["terminated", "interrupted"])
def test_asked_to_end_it_ends_at_once_and_the_bundle_waits(stage, signal_, ada, server):
    server.fault("hang", operation=stage)
    running = ada.begin(*PUSH)
    until(lambda: server.faults()[0]["happened"])
    os.kill(running.pid, signal_)
    said = ends(running)
    assert "Traceback" not in said
    assert running.returncode in {-signal.SIGTERM, 130, 143}
    until(lambda: not ada.processes())
    assert ada.leavings() == [] or signal_ == signal.SIGTERM
    server.heal()
    is_neither_lost_nor_untrue(ada)
    is_made_right(ada)


@pytest.mark.parametrize("stage", ["UpsertBucket", "CreateArtifactFiles", "CommitArtifact", "HistoryPage"])
@pytest.mark.parametrize("how", ["restart", "power cut"])
def test_a_server_that_dies_on_the_way_is_never_believed(stage, how, ada, server):
    """A restart keeps what the server held; after a power cut it holds nothing of this push."""
    server.restart()  # so that what it holds is written down, and found again
    server.fault("hang", operation=stage)
    done: list[Any] = []
    pushing = threading.Thread(target=lambda: done.append(ada(*PUSH, check=None)))
    pushing.start()
    until(lambda: server.faults()[0]["happened"])
    if how == "power cut":
        server.kill()
        server.start()
    else:
        server.restart()
    pushing.join(PATIENCE)
    assert done[0].returncode in {0, 30}
    is_neither_lost_nor_untrue(ada)
    is_made_right(ada)
