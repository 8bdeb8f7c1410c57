"""The code that differs between two bundles is told checkout by checkout, and never stops a comparison."""

from __future__ import annotations

import shutil

import msgspec
import pytest

from reprokit.bundle.reading import open_bundle
from reprokit.diff.code import code_changes


@pytest.fixture
def two(reprokit, evaluation):
    """Two bundles of one evaluation, before and after a change of its code."""
    found = []
    for offset in (1, 2):
        (evaluation / "answers.py").write_text(f"OFFSET = {offset}\n")
        reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", directory=evaluation)
        (folder,) = reprokit.archive.rglob(reprokit.json("list")[-1]["id"])
        found.append(open_bundle(folder))
    return found


def test_the_patch_between_two_bundles_is_shown(two, evaluation):
    (change,) = code_changes(*two)

    assert change.name == "my-evals"
    assert (change.before, change.after) == tuple(bundle.sources[0].tree for bundle in two)
    assert change.learnt_from == "trees"
    assert [(file.path, file.kind, file.added, file.removed) for file in change.files] == [
        ("answers.py", "changed", 1, 1)
    ]
    assert "-OFFSET = 1\n+OFFSET = 2\n" in change.patch
    (back,) = code_changes(*two[::-1])
    assert (back.before, back.after) == (change.after, change.before)
    assert "-OFFSET = 2\n+OFFSET = 1\n" in back.patch


def test_the_same_code_is_no_change(two):
    assert code_changes(two[0], two[0]) == []


def test_a_clone_that_is_named_gives_what_no_bundle_carries(two, evaluation):
    for bundle in two:
        for source in bundle.sources:
            if source.git_bundle:
                bundle.stored(source.git_bundle).unlink()
    shutil.move(evaluation, evaluation.with_name("moved"))

    (change,) = code_changes(*two)
    assert change.learnt_from == "patches"
    (change,) = code_changes(*two, clones=[evaluation.with_name("moved")])
    assert change.learnt_from == "trees"


@pytest.mark.parametrize("path", ["../../secret", "/etc/passwd", "source/nowhere.patch", "x" * 5000])
def test_a_record_that_names_files_outside_of_its_bundle_gets_none(two, path):
    two[1].sources[0] = msgspec.structs.replace(two[1].sources[0], patch=path, git_bundle=path)
    (change,) = code_changes(*two)

    assert change.learnt_from == "nothing"
    assert change.reason == "in b: the patch of the source `my-evals` is missing"


def test_sides_that_have_no_files_are_told_as_such(make):
    source = make.source()
    other = msgspec.structs.replace(source, tree="e" * 40)
    (change,) = code_changes(make.side(sources=[source]), make.side(sources=[other]))

    assert (change.name, change.before, change.after) == ("my-evals", source.tree, other.tree)
    assert change.learnt_from == "nothing"
    assert change.reason.startswith("in a, the files that belong to the record are not at hand; in b, ")


def test_a_checkout_that_only_one_side_used_is_told(make):
    sources = [make.source("/home/ada/b"), make.source("/home/ada/a", commit="f" * 40, tree="e" * 40)]
    changes = code_changes(make.side(sources=[]), make.side(sources=sources))

    assert [(change.name, change.before, change.after) for change in changes] == [
        ("a", None, "e" * 40),
        ("b", None, "d" * 40),
    ]
    assert all(change.reason.startswith("in a, no code was read from this checkout") for change in changes)
