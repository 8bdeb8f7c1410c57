"""Every captured checkout comes back with an equal tree, from wherever it can be had."""

from __future__ import annotations

import os
import shutil

import pytest

from reprokit.bundle.source import LeftOut, Use
from reprokit.errors import InputMissingError, UsageError
from reprokit.reproduce.checkouts.origins import Origins, parse
from reprokit.reproduce.checkouts.restoring import restore_all

NOWHERE = Origins()
WORKED_IN = Use(kind="working directory")
IMPORTED = Use(kind="module", name="harness")
HARNESS = {"harness/__init__.py": "NAME = 'harness'\n", "README": "read me\n"}
EVALS = {"evaluate.py": "import harness\n", "notes": "one\ntwo\n"}


def dirty_everywhere(root, git) -> None:
    """Change files of every kind, staged, unstaged and untracked."""
    (root / ".gitattributes").write_text(
        "*.auto text=auto\n*.crlf text eol=crlf\n*.id ident\n*.big filter=lfs diff=lfs merge=lfs -text\n"
    )
    for name, content in {
        "kept.auto": b"unix\n",
        "dos.crlf": b"dos\r\n",
        "kept.id": b"$Id$\n",
        "kept.big": b"version https://git-lfs.example.invalid/spec/v1\n",
        "program.sh": b"#!/bin/sh\n",
        "picture": bytes(range(256)),
        "to be deleted": b"gone\n",
        "to be renamed": b"a text of some length\n" * 9,
        "to be empty": b"something\n",
        "folder/file": b"a file in a folder\n",
    }.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)
    (root / "link").symlink_to("picture")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=of every kind")
    git(root, "rm", "--quiet", "--cached", "kept.id", "dos.crlf")
    git(root, "reset", "--quiet", "--hard")  # what was checked out has its line ends and its `$Id: …$`
    (root / "staged.auto").write_bytes(b"dos\r\nunix\n")
    (root / "staged picture").write_bytes(bytes(range(255, -1, -1)))
    git(root, "add", "staged.auto", "staged picture")
    (root / "staged picture").write_bytes(b"\0and changed again")
    (root / "picture").write_bytes(bytes(256))
    (root / "program.sh").chmod(0o755)
    (root / "to be deleted").unlink()
    (root / "to be renamed").rename(root / "re\nnamed")
    (root / "to be empty").write_bytes(b"")
    (root / "link").unlink()
    (root / "link").symlink_to("/etc/hostname")
    shutil.rmtree(root / "folder")
    (root / "folder").write_text("a file now\n")
    (root / "untracked.crlf").write_bytes(b"unix\n")
    (root / "untracked.id").write_bytes(b"$Id$\n")
    (root / "untracked.big").write_bytes(b"as it lies\n")
    (root / os.fsdecode(b"odd \xff name")).write_bytes(b"odd\n")
    (root / "-n").write_bytes(b"no end")
    (root / "empty").write_bytes(b"")


@pytest.fixture
def pair(repository, seen, git):
    """A working repository and a harness, both dirty in every way."""
    roots = repository("evals", EVALS), repository("harness", HARNESS)
    for root in roots:
        dirty_everywhere(root, git)
    return roots


def test_two_dirty_checkouts_come_back_with_equal_trees_and_bytes(pair, seen, bag, git, files, tmp_path):
    observed = [*seen(pair[0], WORKED_IN), *seen(pair[1], IMPORTED)]
    bundle = bag(*observed)
    before = [files(root) for root in pair]
    for root in pair:
        shutil.rmtree(root)
    restored = restore_all(bundle, tmp_path / "workspace", NOWHERE)

    assert {name: str(place) for name, place in restored.places.items()} == {
        "evals": "source",
        "harness": "sources/harness",
    }
    for each, held in zip(observed, before, strict=True):
        place = tmp_path / "workspace" / restored.places[each.source.name]
        assert each.source.dirty
        assert git(place, "write-tree") == each.source.tree
        assert git(place, "rev-parse", "HEAD") == each.source.commit
        assert files(place) == held
    assert restored.deltas == ()


def test_a_checkout_that_came_back_is_observed_as_the_same(pair, seen, bag, tmp_path):
    bundle = bag(*seen(pair[0], WORKED_IN))
    restore_all(bundle, tmp_path / "workspace", NOWHERE)
    (again,) = seen(tmp_path / "workspace" / "source")

    assert again.source.tree == bundle.sources[0].tree


def test_a_place_of_the_original_machine_is_found_in_the_workspace(repository, seen, bag, tmp_path):
    evals, harness = repository("evals", EVALS), repository("harness", HARNESS)
    (harness / "out").symlink_to("/")
    bundle = bag(*seen(evals, WORKED_IN), *seen(harness, IMPORTED))
    restored = restore_all(bundle, tmp_path / "workspace", NOWHERE)

    assert restored.directory_of((harness / "harness").as_uri()) == tmp_path / "workspace/sources/harness/harness"
    assert restored.directory_of(str(evals)) == tmp_path / "workspace/source"
    assert restored.directory_of(str(harness / "out" / "etc")) is None
    assert restored.directory_of(str(tmp_path)) is None


def test_a_run_without_a_checkout_has_an_empty_folder(bag, tmp_path):
    restored = restore_all(bag(), tmp_path, NOWHERE)

    assert list((tmp_path / "source").iterdir()) == []
    assert (restored.places, restored.deltas) == ({}, ())


def test_compressed_files_of_a_bundle_are_read(pair, seen, bag, files, tmp_path):
    bundle = bag(*seen(pair[0], WORKED_IN), compressed=True)
    assert {path.suffix for path in (bundle.path / "data/source").iterdir()} == {".json", ".zst"}
    restore_all(bundle, tmp_path / "workspace", NOWHERE)

    assert files(tmp_path / "workspace" / "source") == files(pair[0])


# -- where they come from ----------------------------------------------------------------------------------------------


def without_history(seen, root, *uses):
    return seen(root, *uses, git_bundle=1)


def test_one_clone_named_for_all_and_one_named_for_one(repository, seen, bag, git, everything, files, tmp_path):
    evals, harness = repository("evals", EVALS), repository("harness", HARNESS)
    bundle = bag(*without_history(seen, evals, WORKED_IN), *without_history(seen, harness, IMPORTED))
    before = everything(evals), everything(harness)
    said = parse([f"harness={harness}", str(evals)])
    restore_all(bundle, tmp_path / "workspace", said)

    assert files(tmp_path / "workspace/source") == files(evals)
    assert files(tmp_path / "workspace/sources/harness") == files(harness)
    assert (everything(evals), everything(harness)) == before
    for clone in ("source", "sources/harness"):
        inside = tmp_path / "workspace" / clone / ".git"
        assert not (inside / "objects/info/alternates").exists()
        assert (inside / "HEAD").is_file()
        assert str(tmp_path / "evals") not in (inside / "config").read_text()


@pytest.mark.parametrize("options", [["--depth=1"], ["--filter=blob:none"], ["--filter=tree:0"], ["--bare"]])
def test_a_clone_of_any_kind_has_what_it_checked_out(repository, seen, bag, git, everything, files, tmp_path, options):
    evals = repository("evals", EVALS)
    git(evals, "config", "uploadpack.allowFilter", "true")
    for number in range(3):
        (evals / "notes").write_text(f"{number}\n")
        git(evals, "commit", "--quiet", "--all", "--message=more")
    (evals / "new").write_text("new\n")
    bundle = bag(*without_history(seen, evals, WORKED_IN))
    held = files(evals)
    git(tmp_path, "clone", "--quiet", *options, evals.as_uri(), "clone")
    git(evals, "clean", "-qxfd")
    evals.rename(tmp_path / "away")
    before = everything(tmp_path / "clone")
    restore_all(bundle, tmp_path / "workspace", parse([str(tmp_path / "clone")]))

    assert files(tmp_path / "workspace/source") == held
    assert everything(tmp_path / "clone") == before


def test_a_partial_clone_that_lacks_a_file_is_not_filled(repository, seen, bag, git, everything, files, tmp_path):
    evals = repository("evals", EVALS)
    git(evals, "config", "uploadpack.allowFilter", "true")
    bundle = bag(*without_history(seen, evals, WORKED_IN))
    git(tmp_path, "clone", "--quiet", "--no-checkout", "--filter=blob:none", evals.as_uri(), "clone")
    before = everything(tmp_path / "clone")

    with pytest.raises(InputMissingError, match="it is a partial clone, which has only parts of it"):
        restore_all(bundle, tmp_path / "one", parse([str(tmp_path / "clone")]))
    assert everything(tmp_path / "clone") == before
    restore_all(bundle, tmp_path / "other", parse([str(tmp_path / "clone"), str(evals)]))
    assert files(tmp_path / "other/source") == files(evals)


def published(repository, ssh, git, *, by_name: bool = True):
    """The evals, pushed to a remote; their last commit is then forced away from its branch."""
    root = repository("evals", EVALS)
    git(ssh, "clone", "--quiet", "--bare", str(root), "evals.git")
    git(root, "remote", "add", "origin", "git@host.invalid:evals.git")
    (root / "notes").write_text("to be forgotten\n")
    git(root, "commit", "--quiet", "--all", "--message=to be forgotten")
    git(root, "push", "--quiet", "origin", "main")
    git(root, "fetch", "--quiet", "origin")
    return root


def forced_away(root, git) -> str:
    commit = git(root, "rev-parse", "HEAD")
    git(root, "push", "--quiet", "--force", "origin", f"{commit}~:main")
    return commit


def test_a_commit_that_was_forced_away_is_had_by_its_name(repository, ssh, seen, bag, git, tmp_path):
    root = published(repository, ssh, git)
    observed = seen(root, WORKED_IN)
    commit = forced_away(root, git)
    assert observed[0].git_bundle is None
    shutil.rmtree(root)
    restore_all(bag(*observed), tmp_path / "workspace", NOWHERE)

    assert git(tmp_path / "workspace/source", "rev-parse", "HEAD") == commit


def test_a_commit_that_the_remote_has_lost_is_told_and_had_from_a_clone(repository, ssh, seen, bag, git, tmp_path):
    root = published(repository, ssh, git)
    bundle = bag(*seen(root, WORKED_IN))
    commit = forced_away(root, git)
    git(ssh / "evals.git", "gc", "--quiet", "--prune=now")
    (tmp_path / "asked").unlink()

    with pytest.raises(
        InputMissingError, match=rf"{commit[:12]} of `evals` is not .*`origin` \(git@host.*does not"
    ) as caught:
        restore_all(bundle, tmp_path / "one", NOWHERE)
    assert "`--source evals=DIR`" in caught.value.hint
    # One answer is enough: no branches are fetched from a server that would give it if it had it.
    assert len((tmp_path / "asked").read_text().splitlines()) == 1
    (tmp_path / "asked").unlink()
    restore_all(bundle, tmp_path / "other", parse([f"evals={root}"]))
    assert git(tmp_path / "other/source", "rev-parse", "HEAD") == commit
    # What the user names comes before the network.
    assert not (tmp_path / "asked").exists()


def test_the_carried_history_comes_before_everything_else(repository, ssh, seen, bag, git, tmp_path):
    root = repository("evals", EVALS)
    bundle = bag(*seen(root, WORKED_IN), remotes={"origin": "git@host.invalid:evals.git"}, on_remote=True)
    shutil.rmtree(root)
    restore_all(bundle, tmp_path / "workspace", parse(["git@host.invalid:other.git"]))

    assert (tmp_path / "workspace/source/evaluate.py").exists()
    assert not (tmp_path / "asked").exists()


def test_an_address_that_the_user_names_is_asked_before_the_recorded_one(repository, ssh, seen, bag, git, tmp_path):
    root = published(repository, ssh, git)
    bundle = bag(*seen(root, WORKED_IN))
    (ssh / "evals.git").rename(ssh / "moved.git")
    (tmp_path / "asked").unlink()
    restore_all(bundle, tmp_path / "workspace", parse(["evals=git@host.invalid:moved.git"]))

    assert "evals.git" not in (tmp_path / "asked").read_text()
    assert (tmp_path / "workspace/source/notes").read_text() == "to be forgotten\n"


def test_a_history_that_builds_on_a_remote_is_completed_from_a_partial_clone(
    repository, seen, bag, git, files, tmp_path
):
    root = repository("evals", EVALS | {"noise": os.urandom(20_000)})
    git(root, "config", "uploadpack.allowFilter", "true")
    git(root, "remote", "add", "origin", str(root))
    git(root, "fetch", "--quiet", "origin")
    git(root, "remote", "set-url", "origin", "git@host.invalid:evals.git")
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", root.as_uri(), "clone")
    (root / "notes").write_text("on no remote\n")
    git(root, "commit", "--quiet", "--all", "--message=on no remote")
    observed = seen(root, WORKED_IN, git_bundle=10_000)
    assert observed[0].git_bundle is not None
    held = files(root)
    root.rename(tmp_path / "away")
    restore_all(bag(*observed), tmp_path / "workspace", parse([str(tmp_path / "clone")]))

    assert files(tmp_path / "workspace/source") == held


def test_a_commit_of_a_sha256_repository_comes_back(repository, seen, bag, git, files, tmp_path):
    evals, other = repository("evals", EVALS), repository("other", HARNESS, "--object-format=sha256")
    commit, tree = git(other, "rev-parse", "HEAD"), git(other, "rev-parse", "HEAD^{tree}")
    bundle = bag(*seen(evals), commit=commit, tree=tree, git_bundle=None)
    restore_all(bundle, tmp_path / "workspace", parse([str(other)]))

    assert len(commit) == 64
    assert files(tmp_path / "workspace/source") == files(other)


# -- what is missing ---------------------------------------------------------------------------------------------------


def test_all_that_is_missing_is_told_at_once(repository, seen, bag, git, tmp_path):
    evals, harness = repository("evals", EVALS), repository("harness", HARNESS)
    bundle = bag(*without_history(seen, evals, WORKED_IN), *without_history(seen, harness, IMPORTED))

    with pytest.raises(InputMissingError) as caught:
        restore_all(bundle, tmp_path / "workspace", NOWHERE)
    for name, root in (("evals", evals), ("harness", harness)):
        assert f"the commit {git(root, 'rev-parse', 'HEAD')[:12]} of `{name}` is not to be had" in caught.value.message
    assert "--source NAME=DIR" in caught.value.hint


def test_where_modules_were_merely_looked_for_is_not_needed(repository, seen, bag, git, tmp_path):
    evals, harness = repository("evals", EVALS), repository("harness", HARNESS)
    looked_for = Use(kind="module path", name="harness")
    bundle = bag(*seen(evals, WORKED_IN), *without_history(seen, harness, looked_for))
    restored = restore_all(bundle, tmp_path / "workspace", NOWHERE)

    (delta,) = restored.deltas
    assert (delta.what, delta.recorded, delta.here) == (
        "checkout `harness`",
        git(harness, "rev-parse", "HEAD")[:12],
        "none",
    )
    assert "nothing is known to have come from it" in delta.reason
    assert restored.directory_of(str(harness)) is None


def test_a_checkout_that_the_user_can_do_without_is_told(repository, seen, bag, tmp_path):
    evals, harness = repository("evals", EVALS), repository("harness", HARNESS)
    bundle = bag(*seen(evals, WORKED_IN), *without_history(seen, harness, IMPORTED))
    restored = restore_all(bundle, tmp_path / "workspace", NOWHERE, without={"harness"})

    assert [(delta.what, delta.reason) for delta in restored.deltas] == [("checkout `harness`", "left out as asked")]
    for name in ("evals", "unknown"):
        with pytest.raises(UsageError):
            restore_all(bundle, tmp_path / "other", NOWHERE, without={name})


def test_what_no_bundle_carries_is_told(repository, seen, bag, tmp_path):
    evals = repository("evals", EVALS)
    left_out = [
        LeftOut(path="weights", reason="untracked and 12.0 GiB large"),
        LeftOut(path="out", reason="an output of the evaluation"),
        LeftOut(path=".git", reason="the commit is on no remote"),
        LeftOut(path="venv/", reason="a virtual environment"),
    ]
    restored = restore_all(bag(*seen(evals), left_out=left_out), tmp_path / "workspace", NOWHERE)

    assert [(delta.what, delta.reason) for delta in restored.deltas] == [
        ("`weights` in `evals`", "untracked and 12.0 GiB large")
    ]
