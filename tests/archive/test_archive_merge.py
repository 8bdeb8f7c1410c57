"""Two clones of an archive, each captured into and labelled, merge with plain git and without a conflict."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from reprokit.archive import catalog, creation, ledger, notes, references, validation
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.archive.tags import labels as tags
from reprokit.archive.tags.labels import Change
from reprokit.bundle.writing import Label


@pytest.fixture
def shared(archive, publish):
    """An archive with a bundle in it, which both clones come from."""
    publish("shared", fold=True)
    return archive


@pytest.fixture
def clones(shared, git, tmp_path):
    """Give two clones of one archive."""
    both = []
    for name in ("ada", "bob"):
        git(tmp_path, "clone", "-q", str(shared.root), name)
        both.append(Archive(tmp_path / name))
    return both


def merge(one, other, git):
    """Make both the same, as two people would: pull, then pull back."""
    git(one.root, "pull", "-q", "--no-rebase", "--no-edit", str(other.root), "HEAD")
    git(other.root, "pull", "-q", "--no-rebase", "--no-edit", str(one.root), "HEAD")


def tracked(archive, git):
    return git(archive.root, "ls-tree", "-r", "HEAD")


def state(archive):
    return [(entry.id, entry.name, entry.tags, entry.note) for entry in tags.entries(archive)]


def test_captures_labels_and_notes_of_both_are_there_afterwards(clones, shared, publish, git):
    ada, bob = clones
    old = catalog.ids(shared)[0]
    for clone, word in ((ada, "one"), (bob, "two")):
        new = publish(word, into=clone, fold=True, label=Label(tags=(word,)))
        tags.change(clone, new, Change(add=("fresh",)))
        tags.change(clone, old, Change(add=(f"seen-by-{word}",), name=word))
        pushed = Event(
            event="pushed", time="2026-11-24T10:00:00Z", bundle=new, identity=catalog.read(clone, new).identity
        )
        assert notes.note(clone, pushed, f"push {new}") is None

    merge(ada, bob, git)

    assert tracked(ada, git) == tracked(bob, git)
    assert state(ada) == state(bob)
    assert len(catalog.ids(ada)) == 3
    (labelled,) = [entry for entry in tags.entries(ada) if entry.id == old]
    assert labelled.tags == ["seen-by-one", "seen-by-two"]
    assert labelled.name == "two"  # the later word
    assert sorted(event.event for event in ledger.events(ada)).count("pushed") == 2
    for clone in clones:
        assert list(validation.check_ledger(clone)) == []
        assert all(found == [] for found in validation.check_committed(clone, [old]).values())
        assert git(clone.root, "status", "--porcelain") == ""


def test_of_conflicting_labels_the_later_counts_whoever_merges(clones, shared, git):
    ada, bob = clones
    bundle = catalog.ids(shared)[0]
    tags.change(ada, bundle, Change(name="first", add=("x",)))
    tags.change(bob, bundle, Change(name="second", add=("x",)))
    tags.change(ada, bundle, Change(remove=("x",)))

    merge(bob, ada, git)

    for clone in clones:
        assert tags.label(clone, bundle) == Label(name="second", tags=())


def test_of_labels_of_one_moment_the_name_of_the_file_decides(clones, shared, git):
    bundle = catalog.ids(shared)[0]
    identity = catalog.read(shared, bundle).identity
    files = {}
    for clone, name in zip(clones, ("one", "two"), strict=True):
        event = Event(
            event="named", time="2026-11-24T10:00:00Z", bundle=bundle, identity=identity, detail={"name": name}
        )
        notes.note(clone, event, "name")
        files[ledger.place(clone, [event]).name] = name

    merge(*clones, git)

    assert {tags.label(clone, bundle).name for clone in clones} == {files[max(files)]}


def test_the_same_bundle_in_both_is_one(clones, publish, git):
    both = [publish("same", into=clone, fold=True, label=Label(tags=("a",))) for clone in clones]

    merge(*clones, git)

    assert both[0] == both[1]
    for clone in clones:
        assert catalog.ids(clone).count(both[0]) == 1
        assert list(validation.check(clone, both[0])) == []
        # Both captured it, and both said so.
        assert [event.bundle for event in ledger.captures(clone)].count(both[0]) == 2
        assert references.identify("latest", clone) == both[0]


def test_the_same_old_results_captured_at_two_times_are_settled_by_taking_one_side(clones, publish, git):
    ada, bob = clones
    publish("same", into=ada, fold=True, captured="2026-11-24T00:00:00Z")
    bundle = publish("same", into=bob, fold=True, captured="2026-11-25T00:00:00Z")

    done = subprocess.run(
        [
            "git",
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.invalid",
            "pull",
            "-q",
            "--no-rebase",
            str(bob.root),
            "HEAD",
        ],
        cwd=ada.root,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    # As docs/archive.md says.
    git(ada.root, "checkout", "--ours", "--", "bundles", "catalog")
    git(ada.root, "add", "bundles", "catalog")
    git(ada.root, "commit", "-q", "--no-edit")
    git(bob.root, "pull", "-q", "--no-rebase", "--no-edit", str(ada.root), "HEAD")

    assert list(validation.check(ada, bundle)) == []
    assert tracked(ada, git) == tracked(bob, git)
    assert [event.event for event in ledger.events(ada)].count("captured") == 3
    # The other side holds the version that was not taken, and is told so.
    assert {found.code for found in validation.check(bob, bundle)} >= {"E107", "E108"}


def test_what_init_adds_in_both_does_not_conflict(git, tmp_path):
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "-q", "-b", "main")
    (origin / "notes.txt").write_text("ours\n")
    git(origin, "add", "-A")
    git(origin, "commit", "-qm", "notes")
    both = []
    for name in ("ada", "bob"):
        git(tmp_path, "clone", "-q", str(origin), name)
        both.append(creation.create(tmp_path / name))

    merge(*both, git)

    assert tracked(both[0], git) == tracked(both[1], git)
    assert all(creation.is_archive(clone.root) for clone in both)


def test_merging_with_changes_of_line_ends_leaves_records_as_they_are(clones, publish, git):
    ada, bob = clones
    for clone in clones:
        git(clone.root, "config", "core.autocrlf", "true")
    publish("one", into=ada, fold=True)
    new = publish("two", into=bob, fold=True)

    merge(ada, bob, git)

    assert b"\r" not in ada.entry(new).read_bytes()
    assert ada.entry(new).read_bytes() == bob.entry(new).read_bytes()
    assert list(validation.check_ledger(ada)) == []


def test_as_programs(reprokit, evaluation, git, tmp_path):
    folders = []
    for name in ("ada", "bob"):
        git(tmp_path, "clone", "-q", str(reprokit.archive), name)
        folders.append(tmp_path / name)
    for seed, folder in enumerate(folders):
        command = ("python", "evaluate.py", str(seed))
        reprokit("capture", "--archive", folder, *reprokit.files, "--", *command, directory=evaluation)
        reprokit("tag", "--archive", folder, "latest", "both", f"seed-{seed}")

    merge(*map(Archive, map(Path, folders)), git)

    for folder in folders:
        listed = reprokit.json("list", "--archive", folder, "--tag", "both")
        assert len(listed) == 2
        assert {tag for each in listed for tag in each["tags"]} == {"both", "seed-0", "seed-1"}
        assert reprokit("tag", "--archive", folder).stdout.split() == ["both", "2", "seed-0", "1", "seed-1", "1"]
        reprokit("status", "--archive", folder)
        told = reprokit("validate", "--archive", folder, "--all")
        assert told.stdout.count(": whole") == 1
        assert told.stderr.count("not here: ") == 1
