"""Folding registers all that was published, once, whoever does it and wherever it was cut short."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from reprokit.archive import catalog, dvc, ledger, pending, publication, references, registration, status, validation
from reprokit.bundle import bag

PUBLISHER = Path(__file__).with_name("publisher.py")
KILLS = 30


def captured(archive):
    return [event.bundle for event in ledger.events(archive) if event.event == "captured"]


def is_intact(archive, bundle_id):
    return [*bag.verify(archive.payload(bundle_id)), *validation.check(archive, bundle_id)] == []


def test_folding_registers_and_commits_a_bundle(archive, publish, git):
    bundle_id = publish()

    folding = registration.fold(archive)

    assert (folding.registered, folding.left, folding.reason) == ((bundle_id,), (), None)
    assert git(archive.root, "log", "-1", "--format=%s") == f"capture {bundle_id}\n"
    assert git(archive.root, "status", "--porcelain") == ""
    assert captured(archive) == [bundle_id]
    assert is_intact(archive, bundle_id)
    assert registration.fold(archive) == registration.Folding()


def test_many_bundles_are_one_commit_and_one_file_in_the_ledger(archive, publish, git):
    ids = {publish(word) for word in "abc"}

    registration.fold(archive)

    assert git(archive.root, "log", "-1", "--format=%s") == "capture 3 bundles\n"
    assert len(list(archive.ledger.glob("*/*.jsonl"))) == 1
    assert set(captured(archive)) == ids


def test_a_damaged_bundle_is_never_registered_and_does_not_keep_others_from_it(archive, publish):
    bad, good = publish("a"), publish("b")
    results = archive.payload(bad) / "data" / "results.json"
    results.chmod(0o644)
    results.write_bytes(results.read_bytes().replace(b"0.5", b"0.9"))

    folding = registration.fold(archive)

    assert (folding.registered, folding.left) == ((good,), (bad,))
    assert "results.json" in folding.reason
    assert not archive.pointer(bad).exists()
    assert captured(archive) == [good]


@pytest.mark.parametrize("how", ["added", "link", "missing", "tags"])
def test_a_bundle_that_holds_other_files_than_it_lists_is_not_registered(archive, publish, how, tmp_path):
    bundle_id = publish()
    folder = archive.payload(bundle_id)
    match how:
        case "added":
            (folder / "data" / "more").write_text("x")
        case "link":
            (tmp_path / "secret").write_text("x")
            (folder / "data" / "link").symlink_to(tmp_path / "secret")
        case "missing":
            (folder / "data" / "results.json").unlink()
        case "tags":
            tags = folder / bag.TAG_MANIFEST
            tags.chmod(0o644)
            tags.write_bytes(b"".join(reversed(tags.read_bytes().splitlines(keepends=True))))

    folding = registration.fold(archive)

    assert folding.left == (bundle_id,)
    assert not archive.pointer(bundle_id).exists()


def test_who_finds_the_lock_taken_leaves_it_to_the_other(archive, publish):
    bundle_id = publish()

    with FileLock(archive.lock):
        folding = registration.fold(archive)

    assert (folding.registered, folding.left, folding.reason) == ((), (bundle_id,), registration.BUSY)
    assert registration.fold(archive).registered == (bundle_id,)


def test_what_is_published_while_another_folds_is_registered_by_that_other(archive, publish, monkeypatch):
    first, later = publish("a"), []
    commit = registration._commit

    def publish_meanwhile(*arguments):
        commit(*arguments)
        if not later:
            later.append(publish("b"))
            assert registration.fold(archive).reason == registration.BUSY

    monkeypatch.setattr(registration, "_commit", publish_meanwhile)

    folding = registration.fold(archive)

    assert folding.registered == (first, later[0])
    assert pending.markers(archive) == []


@pytest.mark.parametrize("obstacle", ["index.lock", "MERGE_HEAD"])
def test_a_repository_that_is_busy_leaves_the_bundle_published_and_pending(archive, publish, git, obstacle):
    bundle_id = publish()
    head = git(archive.root, "rev-parse", "HEAD")
    (archive.root / ".git" / obstacle).write_text(head)

    for _ in range(2):
        folding = registration.fold(archive)

        assert (folding.registered, folding.left) == ((), (bundle_id,))
        assert folding.reason
        assert list(pending.waiting(archive)) == [bundle_id]

    second = publish("two")
    (archive.root / ".git" / obstacle).unlink()
    assert registration.fold(archive).registered == (bundle_id, second)
    assert captured(archive) == [bundle_id, second]
    assert git(archive.root, "status", "--porcelain") == ""


def test_without_git_the_bundle_is_published_and_pending(archive, publish, monkeypatch, tmp_path):
    bundle_id = publish()
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        folding = registration.fold(archive)

    assert folding.left == (bundle_id,)
    assert "git is not installed" in folding.reason
    assert registration.fold(archive).registered == (bundle_id,)
    assert captured(archive) == [bundle_id]


def test_a_bundle_whose_marker_was_lost_is_found_again(archive, publish):
    registered, lost = publish("a", fold=True), publish("b")
    shutil.rmtree(archive.private)

    assert registration.rescan(archive) == [lost]
    registration.mark_again(archive, [lost])

    assert registration.fold(archive).registered == (lost,)
    assert captured(archive) == [registered, lost]


def test_folding_looks_at_pending_bundles_only(archive, publish, monkeypatch):
    old = publish("a", fold=True)
    looked_at = []
    register = dvc.register
    monkeypatch.setattr(dvc, "register", lambda archive, bundle: looked_at.append(bundle) or register(archive, bundle))
    monkeypatch.setattr(catalog, "ids", lambda *_: pytest.fail("the catalog was walked"))

    new = publish("b", fold=True)

    assert looked_at == [new]
    assert old != new


def start(archive, kill_at, *bags):
    return subprocess.Popen(
        [sys.executable, str(PUBLISHER), str(archive.root), str(kill_at), *map(str, bags)],
        stdout=subprocess.PIPE,
        text=True,
    )


def fold_all(archive):
    """Fold until nothing is left: the git of a killed process may still be at it."""
    for _ in range(100):
        folding = registration.fold(archive)
        if not folding.left:
            return
        time.sleep(0.1)
    pytest.fail(f"still left: {folding}")


def published_folders(archive):
    return [path for path in archive.bundles.glob("*/*") if path.is_dir()]


def bags(make_bundle, tmp_path, count):
    return [
        make_bundle(tmp_path / "made" / str(number), harness_files={"harness/r.json": f"{number}\n".encode()}).path
        for number in range(count)
    ]


def test_a_kill_at_any_point_leaves_nothing_half_and_the_next_fold_completes(archive, make_bundle, tmp_path, git):
    first, second, *others = bags(make_bundle, tmp_path, KILLS + 2)
    # The first one makes folders that the others find.
    operations = [int(start(archive, 0, folder).communicate()[0]) for folder in (first, second)][1]
    points = random.Random(20261124).sample(range(1, operations), KILLS)
    killed = 0

    for point, folder in zip(points, others, strict=True):
        process = start(archive, point, folder)
        process.communicate()
        killed += process.returncode == -9
        for path in published_folders(archive):
            assert list(bag.verify(path)) == [], f"half a bundle is visible after a kill at operation {point}"
        fold_all(archive)
        assert not pending.waiting(archive)

    publication.clear(archive)
    published = sorted(path.name for path in published_folders(archive))
    assert killed >= KILLS - 2, "the kills came too late to say anything"
    assert 2 < len(published) < KILLS + 2
    assert sorted(captured(archive)) == published == references.bundle_ids(archive)
    assert all(is_intact(archive, each) for each in published)
    assert list(archive.staging.iterdir()) == []
    assert pending.markers(archive) == []
    seen = status.status(archive)
    assert (seen.strays, seen.uncommitted, seen.unmarked) == ((), (), ())
    assert git(archive.root, "status", "--porcelain") == ""


def test_what_another_left_to_us_while_we_asked_for_the_lock_is_registered(archive, publish, monkeypatch):
    """It gave the lock back, we took it, and it went away, since we would look at what came after its last look."""
    mine = publish("a", fold=False)
    free, tries = registration._lock, []

    def lock(archive):
        tries.append(archive)
        if len(tries) == 1:
            publish("b", fold=False)
            raise registration._LockedByAnotherError
        return free(archive)

    monkeypatch.setattr(registration, "_lock", lock)
    folding = registration.fold(archive)

    assert mine in folding.registered
    assert len(folding.registered) == 2
    assert pending.markers(archive) == []


def test_eight_processes_with_five_bundles_each_leave_all_registered(archive, make_bundle, tmp_path, git):
    made = bags(make_bundle, tmp_path, 40)

    processes = [start(archive, 0, *made[number::8]) for number in range(8)]
    for process in processes:
        process.communicate()

    assert [process.returncode for process in processes] == [0] * 8
    assert pending.markers(archive) == [], "who could not get the lock was not served"
    assert len(references.bundle_ids(archive)) == 40
    assert sorted(captured(archive)) == references.bundle_ids(archive)
    assert all(is_intact(archive, each) for each in references.bundle_ids(archive))
    assert git(archive.root, "status", "--porcelain") == ""
    assert list(archive.scratch.iterdir()) == []
