"""Killed at any moment, a push or a pull leaves nothing half, and doing it again does it."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reprokit.archive import cache, dvc, status, validation
from reprokit.archive.layout import Archive
from reprokit.bundle import bag
from reprokit.errors import ReprokitError
from reprokit.sync.remotes.configuration import choose
from reprokit.sync.remotes.pull import pull
from reprokit.sync.remotes.push import push, pushes

POINTS = 22


def carry(action, *archives_and_points):
    words = [str(each) for pair in archives_and_points for each in pair]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("carrier.py")), action, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def copies(original: Archive, folder: Path, store: Path | None, name: str) -> Archive:
    """Copy an archive, and give it a store of its own: a copy of one, or a new one."""
    copied = Archive(Path(shutil.copytree(original.root, folder / name, symlinks=True)))
    own = folder / f"{name}-store"
    if store is not None:
        shutil.copytree(store, own)
    config = copied.root / ".dvc/config.local"
    config.write_text(f"['remote \"store\"']\n    url = {own}\n")
    return copied


def points(count: int) -> list[int]:
    """Choose where to kill: at random, but spread over the whole way, its first and last step among them."""
    chance = random.Random(20261124)
    step = (count - 2) / (POINTS - 2)
    return [1, count, *(1 + int(number * step + chance.random() * step) for number in range(POINTS - 2))]


def unsound(folder: Path) -> list[Path]:
    found = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".tmp")]
    return [path for path in found if cache.md5_of(path) != (path.parent.name + path.name).removesuffix(".dir")]


@pytest.fixture
def with_remote(archive, publish, local_folder):
    local_folder.add_to(archive)
    return [publish("one"), publish("two")]


def test_a_push_killed_anywhere_leaves_no_listing_that_lies_and_is_made_good(archive, with_remote, tmp_path):
    folder = tmp_path / "copies"
    (count,) = carry("push", (copies(archive, folder, None, "counted").root, 0))
    killed = [(copies(archive, folder, None, f"killed-{number}"), at) for number, at in enumerate(points(int(count)))]

    ended = carry("push", *((each.root, at) for each, at in killed))

    assert set(ended) == {"killed"}
    for each, _ in killed:
        store = each.root.with_name(f"{each.root.name}-store")
        assert unsound(store) == []
        for listing in store.rglob("*.dir"):
            there = cache.Cache(directory=store / "files/md5", hardlinks=False)
            files = dvc.read_listing(there, listing.parent.name + listing.name)
            assert all(there.place(md5).is_file() for md5 in files.values())

        again = push(each, None, choose(each, None), patience=60)

        assert {carried.outcome for carried in again.bundles} <= {"sent", "there"}
        assert again.remarks == []
        assert sorted(event.bundle for event in pushes(each)) == sorted(with_remote)
        assert status.status(each).uncommitted == ()


def test_a_pull_killed_anywhere_leaves_whole_bundles_or_none_and_is_made_good(
    archive, with_remote, clone, local_folder, tmp_path
):
    push(archive, None, choose(archive, None), patience=60)
    folder, cloned = tmp_path / "copies", clone()
    (count,) = carry("pull", (copies(cloned, folder, local_folder.folder, "counted").root, 0))
    killed = [
        (copies(cloned, folder, local_folder.folder, f"killed-{number}"), at)
        for number, at in enumerate(points(int(count)))
    ]

    ended = carry("pull", *((each.root, at) for each, at in killed))

    assert set(ended) == {"killed"}
    for each, _ in killed:
        assert unsound(cache.of(each).directory) == []
        for bundle in each.bundles.glob("*/*-*-*/"):
            assert list(bag.verify(bundle)) == []

        again = pull(each, None, choose(each, None), patience=60)

        assert {carried.outcome for carried in again.bundles} <= {"fetched", "here"}
        for bundle in with_remote:
            assert list(validation.check(each, bundle)) == []
            assert list(bag.verify(each.payload(bundle))) == []
        assert not any(each.staging.iterdir())


def test_what_a_killed_pull_has_fetched_is_not_fetched_again(archive, with_remote, clone, local_folder, tmp_path):
    push(archive, None, choose(archive, None), patience=60)
    cloned = clone()
    size = sum(path.stat().st_size for path in local_folder.folder.rglob("*") if path.is_file())
    (count,) = carry("pull", (copies(cloned, tmp_path / "copies", local_folder.folder, "counted").root, 0))
    before_the_move = int(count) // 4

    carry("pull", (cloned.root, before_the_move))
    again = pull(cloned, None, choose(cloned, None), patience=60)

    assert 0 < sum(carried.octets for carried in again.bundles) < size
    assert not any(cloned.staging.iterdir())


def test_a_broken_pull_is_told_and_its_error_is_no_bug(archive, with_remote, clone, tmp_path):
    with pytest.raises(ReprokitError) as caught:
        pull(clone(), None, choose(archive, None), patience=60)

    assert caught.value.exit_code == 30
