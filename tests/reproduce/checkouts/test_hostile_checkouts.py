"""A hostile bundle starts nothing, and writes nothing outside of the workspace."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from reprokit.bundle.source import Use
from reprokit.errors import InputMissingError, InvalidRecordError, ReprokitError
from reprokit.reproduce.checkouts import restoring
from reprokit.reproduce.checkouts.origins import Origins, parse
from reprokit.reproduce.checkouts.planning import planned_checkouts
from reprokit.reproduce.checkouts.restoring import restore_all

WORKED_IN = Use(kind="working directory")
FILES = {"evaluate.py": "\n"}


@pytest.fixture
def canary(tmp_path):
    """A program that leaves a trace when anybody starts it, and a look at what must stay as it is."""
    program = tmp_path / "canary"
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/sang'\ncat\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def sang(tmp_path):
    return (tmp_path / "sang").exists


def outside(tmp_path: Path) -> dict[str, bytes]:
    """All that is not in the workspace."""
    paths = (path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(tmp_path / "workspace"))
    return {str(path): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    "address",
    ["--upload-pack=CANARY", "-c core.sshCommand=CANARY", "-oProxyCommand=CANARY", "ext::sh -c CANARY", "fd::0", "file://ROOT", "ROOT", "ssh://-oProxyCommand=CANARY/x", "https://host.invalid/x --upload-pack=CANARY", "git@host.invalid:-x", "http://host.invalid/x"],
)  # fmt: skip
def test_a_hostile_remote_is_not_asked(repository, seen, bag, ssh, canary, sang, tmp_path, address):
    root = repository("evals", FILES)
    address = address.replace("CANARY", str(canary)).replace("ROOT", str(root))
    bundle = bag(*seen(root, WORKED_IN, git_bundle=1), remotes={"origin": address, "-c": address}, on_remote=True)
    planned_checkouts(bundle, Origins())
    before = outside(tmp_path)

    with pytest.raises(InputMissingError):
        restore_all(bundle, tmp_path / "workspace", Origins())
    assert not sang()
    assert not (tmp_path / "asked").exists()
    assert outside(tmp_path) == before


@pytest.fixture
def with_submodule(repository, git, canary, tmp_path):
    """A checkout with a submodule, of which `.gitmodules` then says what a test wants."""
    repository("library", FILES)
    root = repository("evals", FILES)
    git(root, "submodule", "--quiet", "add", tmp_path / "library", "library")

    def say(text: str) -> Path:
        text = text.replace("CANARY", str(canary)).replace("LIBRARY", str(tmp_path / "library"))
        (root / ".gitmodules").write_text(text)
        git(root, "commit", "--quiet", "--all", "--message=a submodule")
        shutil.rmtree(root / "library")
        (root / "library").mkdir()
        return root

    return say


@pytest.mark.parametrize(
    "url",
    ["LIBRARY", "file://LIBRARY", "../library", "ext::sh -c CANARY", "--upload-pack=CANARY", "-u./payload", "git@host.invalid:--upload-pack=CANARY", "ssh://-oProxyCommand=CANARY/x"],
)  # fmt: skip
def test_a_hostile_address_of_a_submodule_is_not_asked(with_submodule, seen, bag, ssh, sang, tmp_path, url):
    root = with_submodule(f'[submodule "x"]\n\tpath = library\n\turl = "{url}"\n')
    bundle = bag(*seen(root, WORKED_IN), remotes={"origin": str(root)})
    before = outside(tmp_path)

    with pytest.raises(InputMissingError, match="of `evals/library` is not to be had"):
        restore_all(bundle, tmp_path / "workspace", Origins())
    assert not sang()
    assert not (tmp_path / "asked").exists()
    assert outside(tmp_path) == before


@pytest.mark.parametrize("name", ["../../../outside", "x", ".git", "-x", "../hooks"])
def test_commands_and_names_in_the_settings_of_submodules_play_no_part(
    with_submodule, seen, bag, git, ssh, sang, tmp_path, name
):
    git(ssh, "clone", "--quiet", "--bare", tmp_path / "library", "library.git")
    root = with_submodule(
        f'[submodule "{name}"]\n\tpath = library\n\turl = git@host.invalid:library.git\n\tupdate = !CANARY\n\tbranch = -x\n'
        "[core]\n\tfsmonitor = CANARY\n\tsshCommand = CANARY\n\thooksPath = .\n[alias]\n\tls-files = !CANARY\n"
        '[filter "x"]\n\tsmudge = CANARY\n[include]\n\tpath = settings\n'
    )
    bundle = bag(*seen(root, WORKED_IN))
    restore_all(bundle, tmp_path / "workspace", Origins())

    assert (tmp_path / "workspace/source/library/evaluate.py").exists()
    assert not sang()
    assert not (tmp_path / "workspace/source/.git/modules").exists()
    assert not (tmp_path / "outside").exists()
    assert {path.name for path in (tmp_path / "workspace").iterdir()} == {"source"}


def a_file(path: str, content: str = "pwned", mode: str = "100644") -> str:
    header = f"diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n"
    return f"{header}@@ -0,0 +1 @@\n+{content}\n\\ No newline at end of file\n"


PATCHES = {
    "above": a_file("../pwned"),
    "absolute": a_file("/tmp/reprokit-pwned").replace("a//", "/").replace("b//", "/"),
    "hooks": a_file(".git/hooks/post-checkout", mode="100755"),
    "config": a_file("package/.git/config"),
    "through a link that it makes": a_file("link", "../..", "120000") + a_file("link/pwned"),
    "a submodule through a link": a_file("link", "../..", "120000") + a_file("link/x", f"Subproject commit {'1' * 40}", "160000"),
    "a submodule above": a_file("../x", f"Subproject commit {'1' * 40}", "160000"),
    "a submodule in the repository": a_file(".git/modules", f"Subproject commit {'1' * 40}", "160000"),
}  # fmt: skip


@pytest.mark.parametrize("name", PATCHES)
def test_a_hostile_patch_of_any_checkout_is_refused(repository, seen, bag, tmp_path, name):
    evals, harness = repository("evals", FILES), repository("harness", FILES)
    (harness / "new").write_text("new\n")
    bundle = bag(*seen(evals, WORKED_IN), *seen(harness, Use(kind="module", name="harness")))
    (bundle.path / "data/source/harness.patch").write_text(PATCHES[name])
    before = outside(tmp_path)

    with pytest.raises(ReprokitError, match=r"patch of `harness` is refused|is not the tree that was captured"):
        restore_all(bundle, tmp_path / "workspace", Origins())
    assert outside(tmp_path) == before
    assert not Path("/tmp/reprokit-pwned").exists()
    assert list((tmp_path / "workspace/sources").iterdir()) == []


def test_settings_of_the_repository_and_of_the_person_start_nothing(
    repository, seen, bag, canary, sang, settings, files, tmp_path
):
    root = repository(
        "evals",
        {
            ".gitattributes": "* filter=canary diff=canary merge=canary ident text=auto\n*.x working-tree-encoding=UTF-16\n",
            ".gitconfig": f"[core]\n\tfsmonitor = {canary}\n",
            ".lfsconfig": "[lfs]\n\turl = https://host.invalid/\n",
            ".husky/post-checkout": f"#!/bin/sh\n{canary}\n",
            "data": "kept through a filter\n",
        },
    )
    (root / "more data").write_text("changed\n")
    bundle = bag(*seen(root, WORKED_IN))
    hooks = tmp_path / "template/hooks"
    hooks.mkdir(parents=True)
    for name in ("post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc", "post-rewrite"):
        shutil.copy(canary, hooks / name)
    settings.write_text(
        f"[core]\n\tfsmonitor = {canary}\n\thooksPath = {hooks}\n\tattributesFile = {root}/.gitattributes\n"
        f"\talternateRefsCommand = {canary}\n[init]\n\ttemplateDir = {hooks.parent}\n"
        f'[filter "canary"]\n\tsmudge = {canary}\n\tclean = {canary}\n\tprocess = {canary}\n\trequired = true\n'
        f'[diff "canary"]\n\ttextconv = {canary}\n\tcommand = {canary}\n[merge "canary"]\n\tdriver = {canary}\n'
    )
    for number, said in enumerate(([], [str(root)])):
        restore_all(bundle, tmp_path / "workspace" / str(number), parse(said))
        assert files(tmp_path / "workspace" / str(number) / "source") == files(root)
    assert not sang()


def test_settings_of_a_clone_that_is_read_start_nothing(repository, seen, bag, git, canary, sang, everything, tmp_path):
    root = repository("evals", FILES)
    bundle = bag(*seen(root, WORKED_IN, git_bundle=1))
    for name in ("core.fsmonitor", "core.sshCommand", "core.alternateRefsCommand", "uploadpack.packObjectsHook"):
        git(root, "config", name, str(canary))
    git(root, "config", "remote.origin.url", f"ext::sh -c {canary}")
    git(root, "config", "remote.origin.uploadpack", str(canary))
    hooks = root / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-checkout", "pre-push", "post-index-change", "reference-transaction", "pre-upload"):
        shutil.copy(canary, hooks / name)
    for number, promised in enumerate((False, True)):
        if promised:
            git(root, "config", "extensions.partialClone", "origin")
            git(root, "config", "remote.origin.promisor", "true")
        before = everything(root)
        restore_all(bundle, tmp_path / "workspace" / str(number), parse([str(root)]))
        assert everything(root) == before
    assert not sang()


def test_a_checkout_does_not_borrow_what_a_clone_borrows(repository, seen, bag, git, files, tmp_path):
    root = repository("evals", FILES)
    bundle = bag(*seen(root, WORKED_IN, git_bundle=1))
    git(tmp_path, "clone", "--quiet", "--shared", root, "borrowing")
    restore_all(bundle, tmp_path / "workspace", parse([str(tmp_path / "borrowing")]))
    held = files(root)
    shutil.rmtree(root)
    shutil.rmtree(tmp_path / "borrowing")

    assert not list((tmp_path / "workspace").rglob("alternates"))
    git(tmp_path / "workspace/source", "fsck", "--full")
    assert files(tmp_path / "workspace/source") == held


@pytest.mark.parametrize("branch", ["--upload-pack=CANARY", "-x", "$(CANARY)"])
def test_branches_and_tags_called_like_options_are_names(repository, seen, bag, git, ssh, canary, tmp_path, branch):
    root = repository("evals", FILES)
    commit = git(root, "rev-parse", "HEAD")
    name = branch.replace("CANARY", str(canary))
    for kind in ("heads", "tags"):
        reference = root / ".git/refs" / kind / name
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(f"{commit}\n")
    git(ssh, "clone", "--quiet", "--mirror", root, "evals.git")
    git(root, "remote", "add", "origin", "git@host.invalid:evals.git")
    bundle = bag(*seen(root, WORKED_IN, git_bundle=1), branch=name, on_remote=True)
    restore_all(bundle, tmp_path / "workspace", Origins())

    assert git(tmp_path / "workspace/source", "rev-parse", "HEAD") == commit
    assert not (tmp_path / "sang").exists()


def hostile_commit(root: Path, git, *entries: tuple[str, str, str]) -> tuple[str, str]:
    """Make a commit whose tree git itself would not make."""
    raw = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(thing) for mode, name, thing in entries)
    tree = git(root, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw)
    return git(root, "commit-tree", tree, "-m", "hostile"), tree


@pytest.mark.parametrize("name", ["..", ".git", "git~1", "../x", ".git/modules"])
def test_a_submodule_at_a_hostile_place_is_refused(repository, seen, bag, git, tmp_path, name):
    root = repository("evals", FILES)
    observed = seen(root, WORKED_IN, git_bundle=1)
    commit, tree = hostile_commit(root, git, ("160000", name, git(root, "rev-parse", "HEAD")))
    bundle = bag(*observed, commit=commit, tree=tree)
    before = outside(tmp_path)

    with pytest.raises(ReprokitError):
        restore_all(bundle, tmp_path / "workspace", parse([str(root)]))
    assert outside(tmp_path) == before


def test_a_submodule_behind_a_link_of_the_same_name_is_refused(repository, seen, bag, git, tmp_path):
    root = repository("evals", FILES)
    observed = seen(root, WORKED_IN, git_bundle=1)
    link = git(root, "hash-object", "-w", "--stdin", stdin=os.fsencode(tmp_path))
    inner = hostile_commit(root, git, ("160000", "b", git(root, "rev-parse", "HEAD")))[1]
    commit, tree = hostile_commit(root, git, ("120000", "a", link), ("40000", "a", inner))
    bundle = bag(*observed, commit=commit, tree=tree)
    before = outside(tmp_path)

    with pytest.raises(ReprokitError):
        restore_all(bundle, tmp_path / "workspace", parse([str(root)]))
    assert outside(tmp_path) == before
    assert not (tmp_path / "b").exists()


def test_submodules_that_multiply_come_to_an_end(repository, seen, bag, git, monkeypatch, tmp_path):
    monkeypatch.setattr(restoring, "MOST_SUBMODULES", 6)
    root = repository("evals", FILES)
    observed = seen(root, WORKED_IN, git_bundle=1)
    commit, tree = git(root, "rev-parse", "HEAD"), ""
    for _ in range(5):
        commit, tree = hostile_commit(root, git, ("160000", "a", commit), ("160000", "b", commit))
    git(root, "update-ref", "refs/heads/hostile", commit)

    with pytest.raises(InvalidRecordError, match="more than 6 submodules"):
        restore_all(bag(*observed, commit=commit, tree=tree), tmp_path / "workspace", parse([str(root)]))


@pytest.mark.parametrize("name", ["../../pwned", "..", "source/../../x", ".git"])
def test_a_record_with_a_hostile_name_is_refused_before_anything_is_made(repository, seen, bag, tmp_path, name):
    bundle = bag(*seen(repository("evals", FILES), WORKED_IN))
    bundle.sources[0] = msgspec.structs.replace(bundle.sources[0], name=name)

    for refused in (planned_checkouts, lambda *these: restore_all(these[0], tmp_path / "workspace", these[1])):
        with pytest.raises(InvalidRecordError, match="has a name that is none"):
            refused(bundle, Origins())
    assert not (tmp_path / "workspace").exists()


@pytest.mark.parametrize("path", ["../../../secret", "/etc/hostname", "source/../../../secret"])
def test_a_patch_outside_of_the_bundle_is_not_read(repository, seen, bag, tmp_path, path):
    (tmp_path / "secret").write_text("mine")
    bundle = bag(*seen(repository("evals", FILES), WORKED_IN), patch=path, dirty=True)

    with pytest.raises(InvalidRecordError, match="names a file outside of itself"):
        restore_all(bundle, tmp_path / "workspace", Origins())


def test_a_submodule_that_was_not_checked_out_is_not_asked_for(with_submodule, seen, bag, tmp_path):
    root = with_submodule('[submodule "x"]\n\tpath = library\n\turl = "https://host.invalid/library"\n')
    observed = seen(root, WORKED_IN)
    bundle = bag(*observed, submodules_empty=observed[0].source.submodules_empty)

    restored = restore_all(bundle, tmp_path / "workspace", Origins())

    assert observed[0].source.submodules_empty == ["library"]
    assert restored.deltas == ()
    assert [each.name for each in planned_checkouts(bundle, Origins())] == ["evals"]
