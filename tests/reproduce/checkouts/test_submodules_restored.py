"""Submodules come back inside of their checkouts: changed ones from their records, the others at their commits."""

from __future__ import annotations

import shutil

import pytest

from reprokit.bundle.source import Use
from reprokit.errors import InputMissingError, InvalidRecordError
from reprokit.reproduce.checkouts.origins import Origins, parse
from reprokit.reproduce.checkouts.restoring import restore_all

NOWHERE = Origins()
WORKED_IN = Use(kind="working directory")


@pytest.fixture
def family(repository, ssh, git, tmp_path):
    """A checkout with a submodule that has one of its own, all of them published."""
    for name in ("deep", "library", "evals"):
        repository(f"made/{name}", {f"{name}.py": f"NAME = '{name}'\n"})
        git(ssh, "clone", "--quiet", "--bare", tmp_path / "made" / name, f"{name}.git")
    for name, inner, path in (("library", "deep", "deep"), ("evals", "library", "vendored/library")):
        clone = tmp_path / "made" / name
        git(clone, "remote", "add", "origin", f"git@host.invalid:{name}.git")
        git(clone, "submodule", "--quiet", "add", f"../{inner}.git", path)
        git(clone, "commit", "--quiet", "--message=a submodule")
        git(clone, "push", "--quiet", "origin", "main")
    git(tmp_path, "clone", "--quiet", "--recurse-submodules", "git@host.invalid:evals.git", "evals")
    return tmp_path / "evals"


LIBRARY, DEEP = "vendored/library", "vendored/library/deep"


def heads(root, git) -> list[str]:
    return [git(root / path, "rev-parse", "HEAD") for path in (".", LIBRARY, DEEP)]


def test_clean_submodules_come_from_the_addresses_that_their_checkout_names(family, seen, bag, git, files, tmp_path):
    bundle = bag(*seen(family, WORKED_IN))
    assert [each.name for each in bundle.sources] == ["evals"]
    held, at = files(family), heads(family, git)
    shutil.rmtree(family)
    shutil.rmtree(tmp_path / "made")
    restored = restore_all(bundle, tmp_path / "workspace", NOWHERE)

    assert {name: str(place) for name, place in restored.places.items()} == {
        "evals": "source",
        f"evals/{LIBRARY}": f"source/{LIBRARY}",
        f"evals/{DEEP}": f"source/{DEEP}",
    }
    assert files(tmp_path / "workspace/source") == held
    assert heads(tmp_path / "workspace/source", git) == at
    assert git(tmp_path / "workspace/source", "status", "--porcelain") == ""
    (again,) = seen(tmp_path / "workspace/source")
    assert again.source.tree == bundle.sources[0].tree
    assert restored.directory_of(str(family / DEEP / "x")) == tmp_path / "workspace/source" / DEEP / "x"


def test_a_clone_of_the_checkout_has_its_submodules_too(family, seen, bag, files, everything, ssh, tmp_path):
    bundle = bag(*seen(family, WORKED_IN))
    held = files(family)
    family.rename(tmp_path / "clone")
    before = everything(tmp_path / "clone")
    (tmp_path / "asked").unlink()
    restore_all(bundle, tmp_path / "workspace", parse([f"evals={tmp_path / 'clone'}"]))

    assert files(tmp_path / "workspace/source") == held
    assert everything(tmp_path / "clone") == before
    assert not (tmp_path / "asked").exists()


def test_a_checkout_that_came_back_is_itself_a_clone_to_take_from(family, seen, bag, files, ssh, tmp_path):
    bundle = bag(*seen(family, WORKED_IN))
    restore_all(bundle, tmp_path / "one", parse([str(family)]))
    held = files(family)
    shutil.rmtree(family)
    shutil.rmtree(ssh)
    restore_all(bundle, tmp_path / "other", parse([str(tmp_path / "one/source")]))

    assert files(tmp_path / "other/source") == held


def test_changed_submodules_come_back_from_their_records(family, seen, bag, git, files, ssh, tmp_path):
    (family / LIBRARY / "library.py").write_text("changed\n")
    (family / DEEP / "untracked").write_text("new\n")
    (family / "evals.py").write_text("changed\n")
    observed = seen(family, WORKED_IN)
    assert [each.source.used_as[0].kind for each in observed] == ["working directory", "submodule", "submodule"]
    held = files(family)
    family.rename(tmp_path / "away")
    restored = restore_all(bag(*observed), tmp_path / "workspace", NOWHERE)

    assert [str(place) for place in restored.places.values()] == ["source", f"source/{LIBRARY}", f"source/{DEEP}"]
    assert files(tmp_path / "workspace/source") == held
    for each in observed:
        assert git(tmp_path / "workspace" / restored.places[each.source.name], "write-tree") == each.source.tree


def test_a_submodule_with_a_record_of_a_submodule_without(family, seen, bag, git, files, tmp_path):
    imported = Use(kind="module", name="deep")
    bundle = bag(*seen(family, WORKED_IN), *seen(family / DEEP, imported))
    held = files(family)
    shutil.rmtree(family)
    restored = restore_all(bundle, tmp_path / "workspace", NOWHERE)

    assert str(restored.places["deep"]) == f"source/{DEEP}"
    assert files(tmp_path / "workspace/source") == held


def test_a_submodule_whose_remote_moved_is_told_and_can_be_named(family, seen, bag, git, files, ssh, tmp_path):
    bundle = bag(*seen(family, WORKED_IN))
    commit, held = git(family / LIBRARY, "rev-parse", "HEAD"), files(family)
    (ssh / "library.git").rename(ssh / "moved.git")
    shutil.rmtree(family)
    name = f"evals/{LIBRARY}"

    with pytest.raises(InputMissingError, match=f"the commit {commit[:12]} of `{name}` is not to be had") as caught:
        restore_all(bundle, tmp_path / "one", NOWHERE)
    assert f"--source {name}=DIR" in caught.value.hint
    restore_all(bundle, tmp_path / "two", parse([f"{name}=git@host.invalid:moved.git"]))
    # The address of the deeper one is relative to where this one now is.
    assert files(tmp_path / "two/source") == held
    restore_all(bundle, tmp_path / "three", parse([str(tmp_path / "made/library")]))
    assert files(tmp_path / "three/source") == held
    restored = restore_all(bundle, tmp_path / "four", NOWHERE, without={name})
    assert [(delta.what, delta.recorded) for delta in restored.deltas] == [(f"checkout `{name}`", commit[:12])]
    assert list((tmp_path / "four/source" / LIBRARY).iterdir()) == []


def test_the_commit_is_the_one_that_the_checkout_names_though_the_branch_went_on(family, seen, bag, git, tmp_path):
    bundle = bag(*seen(family, WORKED_IN))
    at = heads(family, git)
    made = tmp_path / "made/library"
    (made / "library.py").write_text("newer\n")
    git(made, "commit", "--quiet", "--all", "--message=newer")
    git(made, "push", "--quiet", "origin", "main")
    shutil.rmtree(family)
    restore_all(bundle, tmp_path / "workspace", NOWHERE)

    assert heads(tmp_path / "workspace/source", git) == at


def test_a_command_that_ran_in_a_submodule_has_it_as_its_source(family, seen, bag, git, tmp_path):
    around = seen(family, Use(kind="editable install", name="evals"))
    bundle = bag(*seen(family / LIBRARY, WORKED_IN), *around)
    restored = restore_all(bundle, tmp_path / "workspace", NOWHERE)

    assert str(restored.places["library"]) == "source"
    assert (tmp_path / "workspace/sources/evals/evals.py").exists()
    (delta,) = restored.deltas
    assert (delta.what, delta.here, delta.reason) == ("checkout `library`", "none", "it is in `source`")


def test_submodules_of_a_checkout_that_is_left_out_are_left_out(family, repository, seen, bag, tmp_path):
    (family / LIBRARY / "library.py").write_text("changed\n")
    main = repository("main", {"run.py": "\n"})
    bundle = bag(*seen(main, WORKED_IN), *seen(family, Use(kind="module", name="evals")))
    restored = restore_all(bundle, tmp_path / "workspace", NOWHERE, without={"evals"})

    assert list(restored.places) == ["main"]


def test_a_record_of_a_submodule_that_its_checkout_does_not_have_is_refused(family, repository, seen, bag, tmp_path):
    inner = family / "inner"
    repository("evals/inner", {"x": "x\n"})
    use = Use(kind="submodule", name="inner")
    (family / ".git/info/exclude").write_text("inner\n")
    bundle = bag(*seen(family, WORKED_IN), *seen(inner, use))

    with pytest.raises(InvalidRecordError, match=r"the source `inner` lies at .*inner`, where a submodule"):
        restore_all(bundle, tmp_path / "workspace", NOWHERE)
