"""A repository that lies within another, which knows nothing of it, comes back at its place in that one."""

from __future__ import annotations

import os
import subprocess

import msgspec
import pytest

from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Variable
from reprokit.bundle.source import Use
from reprokit.bundle.values import Unknown
from reprokit.errors import InvalidRecordError
from reprokit.reproduce.checkouts.origins import Origins, parse
from reprokit.reproduce.checkouts.planning import planned_checkouts
from reprokit.reproduce.checkouts.restoring import restore_all
from reprokit.rerun import command, script
from reprokit.rerun.parts import Place

NOWHERE = Origins()
WORKED_IN = Use(kind="working directory")
IMPORTED = Use(kind="module", name="nest")
NO_PYTHON = Environment(learnt_from="nothing", packages=Unknown(unknown="no record"))


@pytest.fixture
def rf(repository):
    """A checkout with a changed clone of another repository in it, which is no submodule."""
    root = repository("rf", {"evalf.py": "import nest.v\nprint(nest.v.NAME)\n"})
    repository("rf/nest", {"v.py": "NAME = 'old'\n"})
    (root / "nest/v.py").write_text("NAME = 'changed'\n")
    (root / "nest/new.py").write_text("\n")
    (root / "evalf.py").write_text("import nest.v\nprint('name', nest.v.NAME)\n")
    return root


@pytest.fixture
def run_script(tmp_path):
    """Give a function that runs the script of a bundle's own command in a new workspace."""

    def run(bundle, *argv, name="script-workspace", **changes):
        invocation = msgspec.structs.replace(
            bundle.record.invocation,
            argv=[*argv],
            program=argv[0],
            program_in="system",
            directory_in_source=".",
            inputs=[],
            outputs=[],
            **{"environment_variables": [], **changes},
        )
        record = msgspec.structs.replace(bundle.record, invocation=invocation)
        text = script.text(record, NO_PYTHON, bundle.sources, payload=str(bundle.path / "data"))
        written = tmp_path / "reproduce.sh"
        written.write_text(text)
        uv = tmp_path / "programs/uv"
        uv.parent.mkdir(exist_ok=True)
        uv.write_text("#!/bin/sh\n")
        uv.chmod(0o755)
        return subprocess.run(
            ["bash", written, tmp_path / name],
            env={"PATH": f"{uv.parent}:{os.environ['PATH']}", "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_it_comes_back_within_its_checkout_and_disturbs_nothing_there(rf, seen, bag, git, files, tmp_path):
    bundle = bag(*seen(rf, WORKED_IN), *seen(rf / "nest", IMPORTED))
    held = files(rf)
    restored = restore_all(bundle, tmp_path / "workspace", parse([str(rf)]))
    source = tmp_path / "workspace/source"

    assert {name: str(place) for name, place in restored.places.items()} == {"rf": "source", "nest": "source/nest"}
    assert files(source) == held
    assert restored.deltas == ()
    assert restored.directory_of(str(rf / "nest/v.py")) == source / "nest/v.py"
    outer, inner = bundle.sources
    assert outer.submodules == {}
    assert "nest" not in (rf.parent / "bag-1/data/source/rf.patch").read_text().replace("nest.v", "")
    assert git(source, "write-tree") == outer.tree
    assert git(source / "nest", "write-tree") == inner.tree
    assert [each.source.tree for root in (source, source / "nest") for each in seen(root)] == [outer.tree, inner.tree]


def test_the_plan_names_its_place_and_a_clone_of_the_checkout_around_has_it(rf, seen, bag, tmp_path):
    bundle = bag(*seen(rf, WORKED_IN), *seen(rf / "nest", IMPORTED), git_bundle=None)
    rf.rename(tmp_path / "clone")
    said = parse([f"rf={tmp_path / 'clone'}"])

    planned = planned_checkouts(bundle, said)
    restored = restore_all(bundle, tmp_path / "workspace", said)

    assert [each.place for each in planned] == [str(place) for place in restored.places.values()]
    assert planned[1].comes_from == f"`{tmp_path / 'clone/nest'}`"


def test_each_level_of_several_lies_within_the_one_around_it(repository, rf, seen, bag, files, tmp_path):
    repository("rf/nest/deep", {"d.py": "\n"})
    main = repository("main", {"run.py": "\n"})
    bundle = bag(*seen(main, WORKED_IN), *seen(rf / "nest/deep", IMPORTED), *seen(rf / "nest"), *seen(rf))
    restored = restore_all(bundle, tmp_path / "workspace", NOWHERE)

    assert files(tmp_path / "workspace/sources/rf") == files(rf)
    assert str(restored.places["deep"]) == "sources/rf/nest/deep"


def test_one_within_a_submodule_comes_back_within_that(repository, seen, bag, git, files, tmp_path):
    library = repository("library", {"l.py": "\n"})
    main = repository("main", {"run.py": "\n"})
    git(main, "submodule", "--quiet", "add", library, "sub/library")
    git(main, "commit", "--quiet", "--message=a submodule")
    repository("main/sub/library/nest", {"v.py": "\n"})
    bundle = bag(*seen(main, WORKED_IN), *seen(main / "sub/library/nest", IMPORTED))
    assert [each.root.removeprefix(str(main)) for each in bundle.sources] == ["", "/sub/library", "/sub/library/nest"]
    restored = restore_all(bundle, tmp_path / "workspace", NOWHERE)

    assert str(restored.places["nest"]) == "source/sub/library/nest"
    assert files(tmp_path / "workspace/source") == files(main)


def test_it_comes_back_though_the_checkout_around_is_left_out(rf, repository, seen, bag, files, tmp_path):
    main = repository("main", {"run.py": "\n"})
    bundle = bag(*seen(main, WORKED_IN), *seen(rf), *seen(rf / "nest", IMPORTED))
    restored = restore_all(bundle, tmp_path / "workspace", NOWHERE, without={"rf"})

    assert files(tmp_path / "workspace/sources/rf/nest") == files(rf / "nest")
    assert [delta.what for delta in restored.deltas] == ["checkout `rf`"]


def test_a_command_that_ran_in_it_has_it_as_its_source_and_that_is_told(rf, seen, bag, tmp_path):
    bundle = bag(*seen(rf / "nest", WORKED_IN), *seen(rf, IMPORTED))
    restored = restore_all(bundle, tmp_path / "workspace", NOWHERE)

    assert {name: str(place) for name, place in restored.places.items()} == {"nest": "source", "rf": "sources/rf"}
    (delta,) = restored.deltas
    assert (delta.what, delta.here, delta.reason) == ("checkout `nest`", "none", "it is in `source`")


@pytest.fixture
def both(repository, git):
    """Two repositories, the one within the other, that track the same files."""
    root = repository("both", {"run.py": "\n", "nest/v.py": "same\n", "nest/deep/w.py": "\n", "nest/mine.txt": "x\n"})
    inner = root / "nest"
    git(inner, "init", "--quiet", "--initial-branch=main")
    git(inner, "add", "v.py")
    git(inner, "commit", "--quiet", "--message=a commit")
    (inner / ".gitignore").write_text("mine.txt\n")
    return root


def test_what_both_track_is_there_once(both, seen, bag, git, files, run_script, tmp_path):
    bundle = bag(*seen(both, WORKED_IN), *seen(both / "nest", IMPORTED))
    restore_all(bundle, tmp_path / "workspace", NOWHERE)
    done = run_script(bundle, "true")

    assert done.returncode == 0, done.stderr
    for source in (tmp_path / "workspace/source", tmp_path / "script-workspace/source"):
        assert files(source) == files(both)
        assert git(source / "nest", "write-tree") == bundle.sources[1].tree
    assert not list(tmp_path.glob("*workspace/.*"))


def test_two_checkouts_with_different_files_at_one_place_are_refused(both, seen, bag, tmp_path):
    outer = seen(both, WORKED_IN)
    (both / "nest/v.py").write_text("changed\n")
    bundle = bag(*outer, *seen(both / "nest", IMPORTED))

    with pytest.raises(InvalidRecordError, match=r"two checkouts have a file `source/nest/v\.py`, and not the same"):
        restore_all(bundle, tmp_path / "workspace", NOWHERE)


@pytest.mark.parametrize("inside", ["nest", "way/nest"])
def test_no_link_of_the_checkout_around_leads_it_elsewhere(
    inside, rf, repository, seen, bag, everything, run_script, tmp_path
):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "nest").mkdir(parents=True)
    target = elsewhere if "/" in inside else elsewhere / "nest"
    main = repository("main", {"run.py": "\n"})
    (main / inside.partition("/")[0]).symlink_to(target)
    bundle = bag(*seen(main, WORKED_IN), *seen(rf / "nest", IMPORTED))
    placed = msgspec.structs.replace(bundle.sources[1], root=f"{main}/{inside}")
    (bundle.path / "data/source/nest.json").write_bytes(msgspec.json.encode(placed))
    bundle = type(bundle)(path=bundle.path, info=bundle.info, identity=bundle.identity)
    before = everything(elsewhere)

    with pytest.raises(InvalidRecordError, match="is no folder"):
        restore_all(bundle, tmp_path / "workspace", NOWHERE)
    done = run_script(bundle, "true")

    assert (done.returncode, "in the way of the source nest" in done.stderr) == (12, True)
    assert everything(elsewhere) == before


def test_one_below_git_s_own_folder_lies_beside(repository, seen, bag, git, tmp_path):
    main = repository("main", {"run.py": "\n"})
    git(main, "worktree", "add", "--quiet", ".git/tree", "-b", "other")
    bundle = bag(*seen(main, WORKED_IN), *seen(main / ".git/tree", IMPORTED))

    assert str(restore_all(bundle, tmp_path / "workspace", NOWHERE).places["tree"]) == "sources/tree"


def test_the_script_finds_what_its_command_imports(rf, seen, bag, git, files, run_script, tmp_path):
    bundle = bag(*seen(rf, WORKED_IN), *seen(rf / "nest", IMPORTED))
    held = files(rf)
    done = run_script(bundle, "python3", "evalf.py")

    assert (done.returncode, done.stdout) == (0, "name changed\n"), done.stderr
    source = tmp_path / "script-workspace/source"
    assert files(source) == held
    assert git(source, "write-tree") == bundle.sources[0].tree


def test_arguments_and_variables_that_point_into_it_follow_it(rf, seen, bag):
    bundle = bag(*seen(rf, WORKED_IN), *seen(rf / "nest", IMPORTED))
    invocation = msgspec.structs.replace(
        bundle.record.invocation,
        argv=["python3", f"{rf}/nest/v.py", f"--path={rf}/nest"],
        program_in="system",
        directory_in_source=".",
        working_directory=str(rf),
        inputs=[],
        outputs=[],
        environment_variables=[Variable(name="PYTHONPATH", value=f"{rf}/nest:nest/lib")],
    )
    again = command.plan(msgspec.structs.replace(bundle.record, invocation=invocation), bundle.sources)

    assert again.argv[1:] == ((Place("source", "nest/v.py"),), ("--path=", Place("source", "nest")))
    assert dict(again.variables) == {"PYTHONPATH": (Place("source", "nest"), ":", Place("source", "nest/lib"))}
    assert again.obstacles == ()
