"""The plan names every checkout, its place and where it comes from, and nothing is asked for it."""

from __future__ import annotations

import shutil

import pytest

from reprokit.bundle.source import Use
from reprokit.bundle.values import Unknown
from reprokit.errors import UsageError
from reprokit.reproduce.checkouts.origins import Origins, parse
from reprokit.reproduce.checkouts.planning import PlannedCheckout, planned_checkouts
from reprokit.reproduce.checkouts.restoring import restore_all

WORKED_IN = Use(kind="working directory")


@pytest.fixture
def bundle(repository, seen, bag, git, tmp_path):
    """A checkout with a clean submodule, a harness that is carried, and one that only may have been imported from."""
    library = repository("library", {"library.py": "\n"})
    evals = repository("evals", {"evaluate.py": "\n"})
    git(evals, "submodule", "--quiet", "add", library, "vendored/library")
    git(evals, "commit", "--quiet", "--message=a submodule")
    harness = repository("harness", {"harness.py": "\n"})
    (harness / "harness.py").write_text("changed\n")
    path = repository("path", {"x.py": "\n"})
    observed = seen(evals, WORKED_IN, git_bundle=1)[:1]
    observed += seen(harness, Use(kind="editable install", name="harness"), Use(kind="module", name="harness"))
    observed += seen(path, Use(kind="module path", name="path"), git_bundle=1)
    return bag(*observed)


def by_name(planned: list[PlannedCheckout]) -> dict[str, PlannedCheckout]:
    return {each.name: each for each in planned}


def test_every_checkout_is_planned_with_its_submodules(bundle, git, tmp_path):
    planned = planned_checkouts(bundle, Origins())
    found = by_name(planned)

    assert [each.name for each in planned] == ["evals", "evals/vendored/library", "harness", "path"]
    assert [each.place for each in planned] == ["source", "source/vendored/library", "sources/harness", "sources/path"]
    assert [each.needed for each in planned] == [True, True, True, False]
    assert [each.patched for each in planned] == [False, False, True, False]
    assert found["harness"].used_as == ["editable install `harness`", "module `harness`"]
    assert found["harness"].comes_from == "the git bundle that was captured"
    assert isinstance(found["evals"].comes_from, Unknown)
    assert isinstance(found["path"].comes_from, Unknown)
    library = found["evals/vendored/library"]
    assert (library.commit, library.tree) == (git(tmp_path / "library", "rev-parse", "HEAD"), None)
    assert library.comes_from == ("the address that `.gitmodules` of `evals` names, which is known once that is there")


def test_clones_that_the_user_names_are_looked_into(bundle, tmp_path):
    evals = tmp_path / "evals"
    found = by_name(planned_checkouts(bundle, parse([str(evals)])))

    assert found["evals"].comes_from == f"`{evals}`"
    assert found["evals/vendored/library"].comes_from == f"`{evals}/vendored/library`"
    assert found["path"].comes_from == Unknown(
        unknown=f"the commit {found['path'].commit[:12]} is on no remote that is recorded; `{evals}` does not have it"
    )


def test_an_address_is_believed_and_not_asked(bundle, ssh, tmp_path):
    named = parse(["path=git@host.invalid:path.git", "evals/vendored/library=https://host.invalid/library"])
    found = by_name(planned_checkouts(bundle, named))

    assert found["path"].comes_from == "`git@host.invalid:path.git`"
    assert found["evals/vendored/library"].comes_from == "`https://host.invalid/library`"
    assert not (tmp_path / "asked").exists()


def test_an_unknown_name_is_refused(bundle, tmp_path):
    with pytest.raises(UsageError, match="no checkout called `other`"):
        planned_checkouts(bundle, parse([f"other={tmp_path}"]))


def test_what_was_planned_is_what_is_restored(bundle, tmp_path):
    said = parse([str(tmp_path / "evals"), f"path={tmp_path / 'path'}"])
    planned = planned_checkouts(bundle, said)
    restored = restore_all(bundle, tmp_path / "workspace", said)

    assert {each.name: each.place for each in planned} == {name: str(place) for name, place in restored.places.items()}


def test_the_plan_needs_no_clone_and_writes_nothing(bundle, everything, tmp_path):
    for name in ("evals", "harness", "library", "path"):
        shutil.rmtree(tmp_path / name)
    before = everything(tmp_path)
    planned_checkouts(bundle, Origins())

    assert everything(tmp_path) == before
