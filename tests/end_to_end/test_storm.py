"""Sixteen processes capture twenty-five runs each at once, and every third capture is killed: nothing is lost or half.

This is a promise of the program: see `storm.py` for what is done.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

STORM = Path(__file__).with_name("storm.py")
PROCESSES, CAPTURES, SEED = 16, 25, 20261124
ALL = PROCESSES * CAPTURES
DOOMED = len(range(0, ALL, 3))


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


def storm(reprokit, runs):
    words = [STORM, reprokit.archive, runs, PROCESSES, CAPTURES, SEED]
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        env=reprokit.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def numbers_by_bundle(archive):
    """Which run each published bundle is of; `None` for one that left no results."""
    found = {}
    for folder in archive.glob("bundles/*/*/"):
        results = folder / "data/harness/metrics.json"
        found[folder.name] = json.loads(results.read_text())["storm"]["number"] if results.exists() else None
    return found


def test_a_storm_of_captures_a_third_of_them_killed_leaves_every_bundle_registered_and_whole(reprokit, runs, git):
    killed = storm(reprokit, runs)

    assert DOOMED / 2 < killed <= DOOMED, "too few kills struck to say anything"
    assert not list(runs.glob("*/failed"))
    said = {path.read_text(): int(path.parent.name) for path in runs.glob("*/said")}
    assert len(said) >= ALL - killed

    reprokit("sync", "--offline")

    # Whatever was published is registered, and what was said to be captured is there.
    bundles = numbers_by_bundle(reprokit.archive)
    events = [
        json.loads(line) for path in reprokit.archive.glob("ledger/*/*.jsonl") for line in path.read_text().splitlines()
    ]
    assert sorted(event["bundle"] for event in events if event["event"] == "captured") == sorted(bundles)
    assert sorted(entry["id"] for entry in reprokit.json("list")) == sorted(bundles)
    assert {bundle: bundles[bundle] for bundle in said} == said

    # Every run whose evaluation wrote its results, killed or not, is one bundle and no more.
    ran = [int(path.parent.name) for path in runs.glob("*/metrics.json")]
    captured = Counter(number for number in bundles.values() if number is not None)
    assert captured == Counter(ran)

    # And each is whole: every byte, record, pointer, catalog entry and object of the cache.
    reprokit("validate", "--all")
    assert "left" not in reprokit("status").stdout
    assert list((reprokit.archive / ".reprokit/staging").iterdir()) == []
    assert list((reprokit.archive / ".reprokit/pending").iterdir()) == []
    assert git(reprokit.archive, "status", "--porcelain") == ""
    assert git(reprokit.archive, "fsck", "--strict", "--no-dangling") == ""
