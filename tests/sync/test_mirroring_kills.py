"""Killed at any moment, a drain leaves each bundle waiting or truly mirrored, and doing it again does it."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from reprokit.archive import ledger
from reprokit.archive.layout import Archive
from reprokit.archive.status import status
from reprokit.mirrors.interface import Destination
from reprokit.outbox import waiting as outbox

POINTS = 24


@pytest.fixture
def mirror(tmp_path):
    source = Path(__file__).parents[1] / "contracts/folder_mirror.py"
    description = importlib.util.spec_from_file_location("folder_mirror_for_kills", source)
    module = importlib.util.module_from_spec(description)
    description.loader.exec_module(module)
    module.installed(tmp_path / "site")
    return module


def drains(site: Path, words) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("drainer.py")), *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def points(count: int) -> list[int]:
    """Choose where to kill: at random, but spread over the whole way, its first and last step among them."""
    chance = random.Random(20261124)
    step = (count - 2) / (POINTS - 2)
    return [1, count, *(1 + int(number * step + chance.random() * step) for number in range(POINTS - 2))]


def test_a_drain_killed_anywhere_loses_no_bundle_and_tells_nothing_false(archive, publish, mirror, tmp_path):
    bundles = {publish("one"), publish("two")}

    def copy(name: str):
        place = Archive(Path(shutil.copytree(archive.root, tmp_path / "copies" / name, symlinks=True)))
        service = mirror.Service(tmp_path / "copies" / f"{name}-service")
        to = msgspec.to_builtins(Destination(mirror="folder", address=str(service.folder)))
        for bundle in sorted(bundles):
            outbox.queue(place, bundle, to)
        return place, service

    def words(place, service, at):
        return place.root, service.folder, at

    (count,) = drains(tmp_path / "site", words(*copy("counted"), 0))
    moments = [*points(int(count)), "noting", "leaving"]
    killed = [(*copy(f"killed-{number}"), at) for number, at in enumerate(moments)]

    ended = drains(tmp_path / "site", [word for each in killed for word in words(*each)])

    assert set(ended) == {"killed"}
    progress = {}
    for place, service, at in killed:
        said = {event.bundle: event.identity for event in ledger.events(place, ["mirrored"])}
        there = {service.about(version)["identity"] for version in service.versions()}
        waiting = {wish.bundle for wish in outbox.contents(place).waiting}
        assert set(said.values()) <= there
        assert waiting | set(said) == bundles
        assert not outbox.contents(place).damaged
        progress[at] = (len(waiting), len(said), len(there))
    # They were killed before, between and after all that counts: a bundle is there, then noted, and only then leaves.
    assert (progress["noting"], progress["leaving"]) == ((2, 0, 1), (2, 1, 1))
    assert {(2, 0, 0), (1, 1, 1), (0, 2, 2)} <= set(progress.values())

    assert "killed" not in drains(tmp_path / "site", [word for each in killed for word in words(*each[:2], 0)])
    for place, service, _ in killed:
        assert outbox.contents(place).waiting == ()
        assert sorted(event.bundle for event in ledger.events(place, ["mirrored"])) == sorted(bundles)
        assert len(service.versions()) == 2
        assert status(place).uncommitted == ()
