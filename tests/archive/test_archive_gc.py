"""Garbage is removed, and nothing else: whatever any branch, stash or work tree names stays."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from reprokit.archive import cache, dvc, owner, pending, publication, validation
from reprokit.archive.garbage import collection as garbage
from reprokit.archive.garbage.collection import collect
from reprokit.archive.layout import Archive
from reprokit.bundle import canonical
from reprokit.errors import ExitCode, UsageError

AT_ONCE = dt.timedelta(0)
DEAD = 2**22 - 1


@pytest.fixture
def bundles(publish):
    """Give two registered bundles, which share objects."""
    return [publish(word, fold=True) for word in ("one", "two")]


@pytest.fixture
def no_patience(monkeypatch):
    monkeypatch.setattr(garbage, "_UNFINISHED", AT_ONCE)


def objects(archive):
    return {path.parent.name + path.name for path in cache.of(archive).directory.glob("??/*")}


def objects_of(archive, bundle_id):
    oid = dvc.read_pointer(archive.pointer(bundle_id)).oid
    return {oid, *dvc.read_listing(cache.of(archive), oid).values()}


def drop(archive, bundle_id, git):
    """Remove a bundle as the documentation says, and let its history be forgotten."""
    git(archive.root, "rm", "-q", str(archive.pointer(bundle_id)), str(archive.entry(bundle_id)))
    git(archive.root, "commit", "-qm", "drop")
    shutil.rmtree(archive.payload(bundle_id))


def gone(archive, **how):
    return collect(archive, grace=AT_ONCE, remove=True, **how)


def reasons(found):
    assert {each.code for each in found.findings} <= {"E117"}
    return " ".join(f"{each.where}: {each.message}" for each in found.findings)


# --- what goes ---------------------------------------------------------------------------------------------------------


def test_of_a_whole_archive_nothing_goes(archive, bundles):
    before = objects(archive)

    found = gone(archive)

    assert found.is_empty
    assert objects(archive) == before


def test_objects_of_a_dropped_bundle_go_and_those_it_shared_stay(archive, bundles, git):
    mine, kept = objects_of(archive, bundles[0]), objects_of(archive, bundles[1])
    assert mine & kept
    drop(archive, bundles[0], git)

    found = gone(archive)

    assert objects(archive) == kept
    assert found.objects.files == len(mine - kept)
    assert list(validation.check(archive, bundles[1])) == []


def test_nothing_young_goes(archive, bundles, git):
    before = objects(archive)
    drop(archive, bundles[0], git)

    found = collect(archive, remove=True)

    assert found.is_empty
    assert objects(archive) == before


def test_what_was_dropped_of_late_is_needed_however_old_its_objects_are(archive, bundles, git, monkeypatch):
    drop(archive, bundles[0], git)
    found = garbage._find(
        archive, dt.datetime.now(dt.UTC) - dt.timedelta(days=1), dt.datetime.now(dt.UTC), partial=False
    )
    assert found.objects == found.young == []

    later = garbage.clock.now() + dt.timedelta(days=15)
    monkeypatch.setattr(garbage.clock, "now", lambda: later)
    assert collect(archive).objects.files > 0


def test_a_dry_run_removes_nothing_and_tells_what_the_removal_does(archive, bundles, git):
    drop(archive, bundles[0], git)
    before = objects(archive)

    told = collect(archive, grace=AT_ONCE)
    assert objects(archive) == before
    done = gone(archive)

    assert not told.removed
    assert done.removed
    assert (told.objects, told.stagings) == (done.objects, done.stagings)


def test_hardlinks_are_one_copy_and_free_nothing_while_another_stays(archive, bundles, git, tmp_path):
    mine = objects_of(archive, bundles[0]) - objects_of(archive, bundles[1])
    drop(archive, bundles[0], git)
    store = cache.of(archive)
    largest = max((store.place(name) for name in mine), key=lambda path: path.stat().st_size)
    size = largest.stat().st_size
    os.link(largest, tmp_path / "somebody-keeps-it")

    told = collect(archive, grace=AT_ONCE)
    done = gone(archive)

    assert told.objects.octets - told.objects.freed == size
    assert done.objects == told.objects
    assert (tmp_path / "somebody-keeps-it").stat().st_size == size


def test_temporary_files_of_killed_writers_go_after_a_day_whatever_is_wished(archive, bundles, monkeypatch):
    shelf = next(cache.of(archive).directory.glob("??"))
    (shelf / ".abc.0123.tmp").write_text("half")
    (archive.scratch / "half-a-record").write_text("half")
    (archive.scratch / "unnamed").mkdir()
    (archive.scratch / "unnamed" / "owner.json").write_text("{}")

    assert gone(archive).is_empty
    later = garbage.clock.now() + dt.timedelta(days=2)
    monkeypatch.setattr(garbage.clock, "now", lambda: later)

    assert gone(archive).leftovers.files == 3
    assert not (shelf / ".abc.0123.tmp").exists()
    assert list(archive.scratch.iterdir()) == []


def abandon(archive, *, evaluation=None):
    folder = publication.stage(archive)
    described = canonical.decode((folder / publication.OWNER).read_bytes(), owner.Owner)
    dead = msgspec.structs.replace(described.process, pid=DEAD)
    (folder / publication.OWNER).write_bytes(
        canonical.record(msgspec.structs.replace(described, process=dead, evaluation=evaluation))
    )
    (folder / "bag").mkdir()
    (folder / "bag" / "log").write_text("some lines\n")
    return folder


def test_stagings_go_whose_owner_and_evaluation_have_ended_and_no_others(archive, no_patience):
    dead, alive = abandon(archive), publication.stage(archive)
    watched = abandon(archive, evaluation=owner.process(os.getpid()))

    found = gone(archive)

    assert not dead.exists()
    assert alive.is_dir()
    assert watched.is_dir()
    assert found.stagings.files == 2
    assert list(archive.scratch.iterdir()) == []


@pytest.mark.parametrize("name", [publication.BEGUN, publication.SPOOL])
def test_an_abandoned_staging_that_can_still_become_a_bundle_stays(archive, no_patience, name):
    dead = abandon(archive)
    (dead / name).mkdir()

    gone(archive)

    assert (dead / name).is_dir()


def test_a_young_staging_stays(archive):
    dead = abandon(archive)

    assert collect(archive, remove=True).is_empty
    assert dead.is_dir()


# --- what stays --------------------------------------------------------------------------------------------------------


def on_a_branch(archive, bundle, git):
    git(archive.root, "branch", "elsewhere")
    drop(archive, bundle, git)


def under_a_tag(archive, bundle, git):
    git(archive.root, "tag", "-a", "-m", "published", "v1")
    git(archive.root, "tag", "-a", "-m", "a tag of a tag", "v1-again", "v1")
    git(archive.root, "tag", "-d", "v1")
    drop(archive, bundle, git)


def on_a_branch_of_another_clone(archive, bundle, git):
    git(archive.root, "update-ref", "refs/remotes/origin/main", "HEAD")
    drop(archive, bundle, git)


def in_a_stash(archive, bundle, git):
    pointer = archive.pointer(bundle)
    data = pointer.read_bytes()
    drop(archive, bundle, git)
    pointer.write_bytes(data)
    git(archive.root, "add", "-f", str(pointer))
    git(archive.root, "stash")
    (archive.root / "README.md").write_text("changed\n")
    git(archive.root, "stash")
    assert not pointer.exists()


def among_the_new_files_of_a_stash(archive, bundle, git):
    pointer = archive.pointer(bundle)
    data = pointer.read_bytes()
    drop(archive, bundle, git)
    pointer.write_bytes(data)
    git(archive.root, "stash", "--include-untracked")
    assert not pointer.exists()


def in_the_index(archive, bundle, git):
    pointer = archive.pointer(bundle)
    data = pointer.read_bytes()
    drop(archive, bundle, git)
    pointer.write_bytes(data)
    git(archive.root, "add", "-f", str(pointer))
    pointer.unlink()


def as_a_file_that_git_does_not_know(archive, bundle, git):
    data = archive.pointer(bundle).read_bytes()
    drop(archive, bundle, git)
    archive.pointer(bundle).write_bytes(data)


def in_another_work_tree(archive, bundle, git):
    git(archive.root, "worktree", "add", "-q", "--detach", str(archive.root.parent / "beside"))
    drop(archive, bundle, git)


def as_a_new_file_in_another_work_tree(archive, bundle, git):
    data = archive.pointer(bundle).read_bytes()
    drop(archive, bundle, git)
    beside = archive.root.parent / "beside"
    git(archive.root, "worktree", "add", "-q", "--detach", str(beside))
    (beside / "bundles" / "x").mkdir()
    (beside / "bundles" / "x" / f"{bundle}.dvc").write_bytes(data)


def in_a_work_tree_whose_folder_is_missing(archive, bundle, git):
    in_another_work_tree(archive, bundle, git)
    shutil.rmtree(archive.root.parent / "beside")


def detached(archive, bundle, git):
    drop(archive, bundle, git)
    git(archive.root, "checkout", "-q", "HEAD~1")


PLACES = [
    on_a_branch,
    under_a_tag,
    on_a_branch_of_another_clone,
    in_a_stash,
    among_the_new_files_of_a_stash,
    in_the_index,
    as_a_file_that_git_does_not_know,
    in_another_work_tree,
    as_a_new_file_in_another_work_tree,
    in_a_work_tree_whose_folder_is_missing,
    detached,
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_what_is_named_anywhere_stays(archive, bundles, git, place):
    needed = objects_of(archive, bundles[0])
    place(archive, bundles[0], git)

    found = gone(archive)

    assert (found.findings, found.objects.files) == ([], 0)
    assert needed <= objects(archive)


def test_a_published_bundle_that_is_not_registered_keeps_its_objects(archive, bundles, git):
    needed = objects_of(archive, bundles[0])
    git(archive.root, "rm", "-q", str(archive.pointer(bundles[0])), str(archive.entry(bundles[0])))
    git(archive.root, "commit", "-qm", "drop pointer and entry, keep the folder")

    assert gone(archive).is_empty
    assert needed <= objects(archive)


def test_a_lost_list_is_made_again_from_the_bundle(archive, bundles):
    needed = objects_of(archive, bundles[0])
    oid = dvc.read_pointer(archive.pointer(bundles[0])).oid
    cache.of(archive).place(oid).unlink()

    assert gone(archive).is_empty
    assert objects(archive) >= needed - {oid}


def test_data_of_an_adopted_dvc_repository_stays(archive, bundles, git):
    store = cache.of(archive)
    names = {}
    for number, where in enumerate(("data.dvc", "pipeline/dvc.lock")):
        data = f"data {number}".encode()
        (archive.root / f"data{number}").write_bytes(data)
        names[where] = cache.md5_of(archive.root / f"data{number}")
        cache.store_bytes(store, data, names[where])
        (archive.root / where).parent.mkdir(exist_ok=True)
        (archive.root / where).write_text(f"outs:\n- md5: {names[where]}\n  path: data\n")
    listed = b'[{"md5": "%s", "relpath": "a"}]' % names["data.dvc"].encode()
    (archive.root / "listing").write_bytes(listed)
    folder = cache.md5_of(archive.root / "listing") + ".dir"
    cache.store_bytes(store, listed, folder)
    runs = store.directory.parent.parent / "runs" / "ab" / "abcd"
    runs.mkdir(parents=True)
    (runs / "run").write_text(f"outs:\n- md5: {folder}\n")
    git(archive.root, "add", "-f", "data.dvc", "pipeline")
    git(archive.root, "commit", "-qm", "data")

    assert gone(archive).is_empty
    assert {folder, *names.values()} <= objects(archive)


def test_what_is_no_object_stays(archive, bundles):
    directory = cache.of(archive).directory
    strange = [directory / "notes.txt", directory / "ab" / "short", directory / "zz" / ("0" * 30)]
    for path in strange:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (directory / "ab" / ("1" * 30)).symlink_to(strange[0])

    assert gone(archive).is_empty
    assert all(path.exists() for path in strange)


# --- refusing ----------------------------------------------------------------------------------------------------------


def damaged_pointer(archive, bundle, git):
    archive.pointer(bundle).write_text("outs: [")


def linked_pointer(archive, bundle, git):
    archive.pointer(bundle).unlink()
    archive.pointer(bundle).symlink_to(archive.root / "README.md")


def piped_pointer(archive, bundle, git):
    archive.pointer(bundle).unlink()
    os.mkfifo(archive.pointer(bundle))


def committed_link(archive, bundle, git):
    linked_pointer(archive, bundle, git)
    git(archive.root, "add", "-f", str(archive.pointer(bundle)))
    git(archive.root, "commit", "-qm", "a link")
    git(archive.root, "branch", "of-links")
    git(archive.root, "reset", "-q", "--hard", "HEAD~1")


def damaged_pointer_on_a_branch(archive, bundle, git):
    damaged_pointer(archive, bundle, git)
    git(archive.root, "commit", "-qam", "damaged")
    git(archive.root, "branch", "damaged")
    git(archive.root, "reset", "-q", "--hard", "HEAD~1")


def damaged_list(archive, bundle, git):
    place = cache.of(archive).place(dvc.read_pointer(archive.pointer(bundle)).oid)
    place.chmod(0o644)
    place.write_text("[]")


def entry_without_a_pointer(archive, bundle, git):
    git(archive.root, "rm", "-q", str(archive.pointer(bundle)))
    git(archive.root, "commit", "-qm", "only the pointer")
    shutil.rmtree(archive.payload(bundle))


def damaged_bundle_without_a_pointer(archive, bundle, git):
    git(archive.root, "rm", "-q", str(archive.pointer(bundle)), str(archive.entry(bundle)))
    (archive.payload(bundle) / "data" / "results.json").unlink()


def foreign_pointer_without_an_object(archive, bundle, git):
    (archive.root / "data.dvc").write_text("outs:\n- path: data\n")


def missing_blob(archive, bundle, git):
    name = git(archive.root, "rev-parse", f"HEAD:{archive.relative(archive.pointer(bundle))}").strip()
    (archive.root / ".git" / "objects" / name[:2] / name[2:]).unlink()


def unfinished_merge(archive, bundle, git):
    (archive.root / ".git" / "MERGE_HEAD").write_text(git(archive.root, "rev-parse", "HEAD"))


def not_here(archive, bundle, git):
    shutil.rmtree(archive.payload(bundle))
    cache.of(archive).place(dvc.read_pointer(archive.pointer(bundle)).oid).unlink()


UNKNOWN = {
    damaged_pointer: "no pointer that reprokit wrote",
    linked_pointer: r"(?i)symbolic links|not a regular file",
    piped_pointer: "not a regular file",
    committed_link: "something else than a file",
    damaged_pointer_on_a_branch: "no pointer that reprokit wrote",
    damaged_list: "is damaged",
    entry_without_a_pointer: "a catalog names it",
    damaged_bundle_without_a_pointer: "is missing",
    foreign_pointer_without_an_object: "data.dvc: .*names no object",
    missing_blob: "git cannot read it",
    unfinished_merge: "in the middle of a merge",
    not_here: "not in this copy",
}


@pytest.mark.parametrize("trouble", UNKNOWN, ids=lambda trouble: trouble.__name__)
def test_where_something_needed_is_not_known_nothing_at_all_goes(archive, publish, bundles, git, trouble, no_patience):
    drop(archive, publish("three", fold=True), git)
    dead = abandon(archive)
    trouble(archive, bundles[0], git)
    before = objects(archive)

    found = gone(archive)

    assert re.search(UNKNOWN[trouble], reasons(found)), reasons(found)
    assert not found.removed
    assert objects(archive) == before
    assert dead.is_dir()


def test_in_a_copy_without_some_bundles_garbage_goes_when_that_is_wished(archive, publish, bundles, git):
    third = publish("three", fold=True)
    only_its_own = objects_of(archive, third) - objects_of(archive, bundles[0]) - objects_of(archive, bundles[1])
    drop(archive, third, git)
    not_here(archive, bundles[0], git)

    found = gone(archive, partial=True)

    assert found.absent == [bundles[0]]
    assert not only_its_own & objects(archive)
    assert objects_of(archive, bundles[1]) <= objects(archive)


@pytest.mark.parametrize("link", [False, True])
def test_a_cache_outside_of_the_archive_is_not_touched(archive, bundles, tmp_path, link):
    shared = tmp_path / "shared"
    shutil.move(archive.root / ".dvc" / "cache", shared)
    if link:
        (archive.root / ".dvc" / "cache").symlink_to(shared)
    else:
        (archive.root / ".dvc" / "config.local").write_text(f"[cache]\n    dir = {shared}\n")

    with pytest.raises(UsageError, match="outside of the archive"):
        gone(archive)


@pytest.mark.parametrize("lock", [".reprokit/lock", ".dvc/tmp/lock"])
def test_while_another_process_registers_or_dvc_is_at_work_nothing_goes(archive, bundles, lock):
    (archive.root / lock).parent.mkdir(exist_ok=True)
    with garbage.FileLock(archive.root / lock), pytest.raises(UsageError, match="another process"):
        gone(archive)


def test_dvc_itself_respects_the_lock(archive, bundles):
    (archive.root / ".dvc" / "tmp").mkdir(exist_ok=True)
    with garbage._alone(archive):
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "gc", "-w", "-f"],
            cwd=archive.root,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode != 0
    assert "lock" in done.stderr


def test_an_object_that_was_linked_meanwhile_is_in_use(archive, bundles, git, tmp_path, monkeypatch):
    mine = objects_of(archive, bundles[0]) - objects_of(archive, bundles[1])
    drop(archive, bundles[0], git)
    chosen = cache.of(archive).place(min(mine))
    find = garbage._find

    def and_then_link(*arguments, **how):
        found = find(*arguments, **how)
        os.link(chosen, tmp_path / "in-use")
        return found

    monkeypatch.setattr(garbage, "_find", and_then_link)
    gone(archive)

    assert chosen.exists()


# --- kills -------------------------------------------------------------------------------------------------------------


def test_whoever_is_killed_leaves_less_garbage_and_no_damage(archive, bundles, git):
    kept = objects_of(archive, bundles[1])
    own = cache.of(archive).place(dvc.read_pointer(archive.pointer(bundles[0])).oid)
    drop(archive, bundles[0], git)
    dead = abandon(archive)

    def run(kill_at):
        command = [sys.executable, str(Path(__file__).with_name("collector.py")), str(archive.root), str(kill_at)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    for kill_at in (1, 2, 3, 2, 4):
        assert run(kill_at).returncode == -9
        assert kept <= objects(archive)
        assert list(validation.check(archive, bundles[1])) == []
        # What is left of the bundle does not look like one.
        assert not own.exists() or kill_at == 1
    done = run(0)

    assert done.returncode == 0, done.stderr
    assert objects(archive) == kept
    assert not dead.exists()
    assert pending.markers(archive) == []
    assert list(archive.scratch.iterdir()) == []


# --- as a program ------------------------------------------------------------------------------------------------------


@pytest.fixture
def dropped(reprokit, publish, git):
    """Give the command line on an archive from which one of two bundles was dropped."""
    place = Archive(reprokit.archive)
    both = [publish(word, into=place, fold=True) for word in ("one", "two")]
    drop(place, both[0], git)
    return place


def test_garbage_is_shown_and_removed_on_consent(reprokit, dropped):
    before = objects(dropped)

    refused = reprokit("gc", "--older-than", "0", check=ExitCode.NO_CONSENT)
    told = reprokit("gc", "--older-than", "0h", "--dry-run")

    assert "nobody is here to agree" in refused.stderr
    assert "that nothing names" in refused.stderr
    assert objects(dropped) == before
    assert told.stdout.splitlines()[0] == f"archive      {dropped.root}"
    assert told.stdout.splitlines()[-1].startswith("to free      ")
    done = reprokit("gc", "--older-than", "0w", "--yes")
    assert done.stdout.splitlines()[-1].startswith("freed        ")
    assert objects(dropped) < before
    assert reprokit("gc", "--older-than", "0").stdout.splitlines()[-1] == "garbage      none"
    assert reprokit("validate", "--all").returncode == 0


def test_by_default_nothing_of_the_last_two_weeks_goes(reprokit, dropped):
    done = reprokit("gc")

    assert "garbage      none" in done.stdout
    assert "not old enough" not in done.stdout  # it was dropped just now: what it consists of counts as needed


def test_why_nothing_may_go_is_told(reprokit, dropped):
    next(dropped.bundles.glob("*/*.dvc")).write_text("damaged")

    done = reprokit("gc", "--older-than", "0", "--yes", check=ExitCode.UNREADABLE)

    assert "E117 bundles/" in done.stderr
    assert "nothing was removed" in done.stderr
    assert reprokit.json("gc", "--older-than", "0", check=ExitCode.UNREADABLE)["removed"] is False


def test_an_age_is_days_hours_or_weeks(reprokit):
    assert "`30d`, `12h`, `2w`" in reprokit("gc", "--older-than", "soon", check=ExitCode.USAGE).stderr
