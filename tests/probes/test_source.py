"""A checkout's exact state is learnt, and its repository stays as it was."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

import reprokit.git
from reprokit.bundle import canonical
from reprokit.bundle.source import Source
from reprokit.git import GitError, GitMissingError
from reprokit.probes.source.checkout import Caps, ObservedSource, lacking, observe, observe_submodules, tree_of
from reprokit.probes.source.history import History, texts


def git(directory: Path, *arguments: str, stdin: bytes = b"", check: bool = True, **variables: str) -> bytes:
    identity = {
        f"GIT_{who}_{what}": "ada@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    environment = os.environ | identity | variables
    done = subprocess.run(command, cwd=directory, env=environment, check=check, capture_output=True, input=stdin)
    return done.stdout


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch) -> Path:
    file = tmp_path / "settings"
    file.write_text("")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    return file


def new_repository(root: Path) -> Path:
    git(root.parent, "init", "--quiet", "--initial-branch=main", str(root))
    return root


def commit_all(root: Path, message: str = "a commit") -> str:
    git(root, "add", "--all", "--force")
    git(root, "commit", "--quiet", "--allow-empty", f"--message={message}")
    return git(root, "rev-parse", "HEAD").decode().strip()


@pytest.fixture
def checkout(tmp_path) -> Path:
    root = new_repository(tmp_path / "my evals")
    (root / "package").mkdir()
    (root / "package" / "code.py").write_text("print('hello')\n" * 20)
    (root / "README").write_text("read me\n")
    (root / "tool").write_text("#!/bin/sh\n")
    (root / ".gitignore").write_text("*.ignored\n")
    commit_all(root)
    return root


@pytest.fixture
def into(tmp_path) -> Path:
    folder = tmp_path / "staging"
    folder.mkdir()
    return folder


def seen(directory: Path, into: Path, **options) -> ObservedSource:
    observed = observe(directory, into=into, **options)
    assert observed is not None
    return observed


def files(root: Path) -> dict[str, tuple[str, bytes]]:
    """Every file and link below, `.git` apart: its kind and its content."""
    found = {}
    for path in root.rglob("*"):
        inside = path.relative_to(root)
        if path.is_symlink():
            found[str(inside)] = ("link", os.fsencode(path.readlink()))
        elif path.is_file() and ".git" not in inside.parts:
            found[str(inside)] = ("program" if path.stat().st_mode & 0o100 else "file", path.read_bytes())
    return found


def fingerprint(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything in a folder that a writer would change: names, contents, modes, and times of change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (content, facts.st_mode, facts.st_mtime_ns, facts.st_ino)
    return found


def comes_back(observed: ObservedSource, origin: Path, tmp_path: Path) -> Path:
    """Apply the patch in a plain clone, as a person with git would, and give the clone."""
    source, clone = observed.source, tmp_path / "plain clone"
    git(tmp_path, "clone", "--quiet", "--no-local", str(origin), str(clone))
    if source.commit:
        git(clone, "checkout", "--quiet", "--detach", source.commit)
    if observed.patch:
        git(clone, "apply", "--index", "--binary", "--whitespace=nowarn", str(observed.patch))
    assert git(clone, "write-tree").decode().strip() == source.tree
    return clone


def test_a_clean_checkout_is_its_commit(checkout, into):
    observed = seen(checkout / "package", into)
    commit = git(checkout, "rev-parse", "HEAD").decode().strip()
    tree = git(checkout, "rev-parse", "HEAD^{tree}").decode().strip()

    assert observed.source == Source(
        name="my-evals", root=str(checkout), commit=commit, branch="main", on_remote=False, tree=tree,
        swhid=f"swh:1:dir:{tree}", dirty=False, patch=None, git_bundle="source/my-evals.bundle",
    )  # fmt: skip
    assert observed.patch is None
    assert [path.name for path in into.iterdir()] == ["my-evals.bundle"]


def test_a_folder_outside_of_any_checkout_has_no_source(tmp_path, into):
    assert observe(tmp_path, into=into) is None
    assert tree_of(tmp_path) is None
    assert list(into.iterdir()) == []


def test_a_bare_repository_and_the_inside_of_a_repository_are_no_checkout(checkout, tmp_path, into):
    git(tmp_path, "init", "--quiet", "--bare", str(tmp_path / "bare"))

    assert observe(tmp_path / "bare", into=into) is None
    assert observe(checkout / ".git", into=into) is None


def make_every_kind_of_change(root: Path) -> None:
    for name in ("staged", "unstaged", "both", "deleted", "deleted-staged", "renamed", "mode", "to-link", "to-folder"):
        (root / name).write_text(f"{name}\n")
    (root / "from-folder").mkdir()
    (root / "from-folder" / "inside").write_text("inside\n")
    (root / "link-to-folder").mkdir()
    (root / "link-to-folder" / "inside").write_text("inside\n")
    (root / "package" / "binary").write_bytes(bytes(range(256)) * 8)
    commit_all(root)
    (root / "staged").write_text("staged, changed\n")
    (root / "both").write_text("staged first\n")
    (root / "added").write_text("added\n")
    (root / "forced.ignored").write_text("forced\n")
    git(root, "rm", "--quiet", "deleted-staged")
    git(root, "mv", "renamed", "renamed-to")
    git(root, "add", "--force", "staged", "both", "added", "forced.ignored")
    (root / "both").write_text("then changed\n")
    (root / "unstaged").write_text("unstaged, without an end of line")
    (root / "deleted").unlink()
    (root / "mode").chmod(0o755)
    (root / "tool").chmod(0o755)
    (root / "to-link").unlink()
    (root / "to-link").symlink_to("nowhere/at all")
    (root / "to-folder").unlink()
    (root / "to-folder").mkdir()
    (root / "to-folder" / "inside").write_text("x")
    shutil.rmtree(root / "from-folder")
    (root / "from-folder").write_text("a file now")
    shutil.rmtree(root / "link-to-folder")
    (root / "link-to-folder").symlink_to("package")
    (root / "package" / "binary").write_bytes(bytes(range(255, -1, -1)) * 8)
    (root / "untracked").mkdir()
    (root / "untracked" / "binary").write_bytes(b"\0\1\2" * 100)
    (root / "untracked" / "empty").touch()
    (root / "ignored.ignored").write_text("not seen")
    (root / "intended").write_text("to be added\n")
    git(root, "add", "--intent-to-add", "intended")


ODD_NAMES = [
    b" space ",
    b"new\nline",
    b'quo"te',
    b"tab\t",
    b"back\\slash",
    b"\xff\xfe not utf-8",
    "grüße".encode(),
    b"-dash",
    b"*",
    b":(glob)x",
]


def make_odd_names(root: Path) -> None:
    for number, name in enumerate(ODD_NAMES):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(b"%d\n" % number)


def test_every_kind_of_change_comes_back(checkout, into, tmp_path):
    make_every_kind_of_change(checkout)
    make_odd_names(checkout)
    observed = seen(checkout, into)
    clone = comes_back(observed, checkout, tmp_path)
    expected = files(checkout)
    del expected["ignored.ignored"]

    assert files(clone) == expected
    assert observed.source.dirty
    assert observed.source.left_out == []
    assert observed.source.patch == "source/my-evals.patch"
    assert tree_of(checkout) == observed.source.tree


def test_the_tree_is_what_git_would_add(checkout, into, tmp_path):
    make_every_kind_of_change(checkout)
    tree = seen(checkout, into).source.tree
    git(checkout, "add", "--all")

    assert git(checkout, "write-tree").decode().strip() == tree


def test_a_second_observation_gives_the_same_bytes(checkout, tmp_path):
    make_every_kind_of_change(checkout)
    first, second = tmp_path / "1", tmp_path / "2"
    for folder in (first, second):
        folder.mkdir()
        seen(checkout, folder)

    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }
    assert {path.name for path in first.iterdir()} == {"my-evals.patch", "my-evals.bundle"}


def test_a_record_is_valid_json_whatever_the_names(tmp_path, into):
    root = new_repository(Path(os.fsdecode(os.fsencode(tmp_path) + b"/odd \xff name")))
    (root / "large").write_bytes(b"x" * 100)
    Path(os.fsdecode(os.fsencode(root) + b"/\xfe")).write_bytes(b"x" * 100)
    source = seen(root, into, caps=Caps(untracked_file=10)).source

    assert canonical.decode(canonical.record(source), Source) == source
    assert source.name == "odd-name"
    assert [each.path for each in source.left_out] == ["\\xfe", "large"]


# -- the repository stays as it was ------------------------------------------------------------------------------------


def in_merge(root: Path) -> None:
    git(root, "checkout", "-q", "-b", "other")
    (root / "README").write_text("other\n")
    git(root, "rm", "-q", "tool")
    (root / "theirs").write_text("theirs\n")
    commit_all(root)
    git(root, "checkout", "-q", "main")
    (root / "README").write_text("main\n")
    (root / "tool").write_text("changed\n")
    commit_all(root)


def merging(root: Path) -> None:
    in_merge(root)
    git(root, "merge", "other", check=False)


def rebasing(root: Path) -> None:
    in_merge(root)
    git(root, "rebase", "other", check=False)


def with_hooks(root: Path) -> None:
    for name in ("pre-commit", "post-checkout", "post-index-change", "reference-transaction", "fsmonitor-watchman"):
        hook = root / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch '{root}/.git/a-hook-ran'\n")
        hook.chmod(0o755)
    git(root, "config", "core.fsmonitor", ".git/hooks/fsmonitor-watchman")


def with_split_index(root: Path) -> None:
    git(root, "update-index", "--split-index")
    (root / "after the split").write_text("x")
    git(root, "add", "after the split")


def with_sparse_checkout(root: Path) -> None:
    git(root, "sparse-checkout", "set", "--cone", "--sparse-index", "package")
    (root / "package" / "new").write_text("new")


def with_sparse_patterns(root: Path) -> None:
    git(root, "sparse-checkout", "set", "--no-cone", "/package/")


def with_untracked_cache(root: Path) -> None:
    git(root, "update-index", "--force-untracked-cache")
    git(root, "status")


def with_packed_objects(root: Path) -> None:
    git(root, "gc", "-q")
    git(root, "commit-graph", "write")


def with_filters(root: Path) -> None:
    for scope, name in (("--local", "spy"), ("--global", "global-spy")):
        for kind in ("clean", "smudge"):
            git(root, "config", scope, f"filter.{name}.{kind}", f"touch '{root}/.git/a-filter-ran'; cat")
    (root / ".gitattributes").write_text("*.py filter=spy diff=spy\nuntracked filter=global-spy\n")
    git(root, "config", "diff.spy.textconv", f"touch '{root}/.git/a-textconv-ran'; cat")
    git(root, "config", "diff.spy.command", f"touch '{root}/.git/a-differ-ran'")


def without_index(root: Path) -> None:
    (root / ".git" / "index").unlink()


@pytest.mark.parametrize(
    "state",
    [
        make_every_kind_of_change, merging, rebasing, with_hooks, with_split_index, with_sparse_patterns,
        with_untracked_cache, with_packed_objects, with_filters, without_index,
    ],
)  # fmt: skip
def test_nothing_in_the_repository_is_touched(checkout, into, state):
    state(checkout)
    (checkout / "package" / "code.py").write_text("changed\n")
    (checkout / "package" / "untracked").write_text("print('hello')\n" * 20)  # its object exists already
    before, lying = fingerprint(checkout / ".git"), files(checkout)
    seen(checkout, into)
    tree_of(checkout)

    assert fingerprint(checkout / ".git") == before
    assert files(checkout) == lying


def test_a_sparse_index_is_read_without_writing(checkout, into):
    with_sparse_checkout(checkout)
    before = {
        path: (content, mode, inode) for path, (content, mode, _, inode) in fingerprint(checkout / ".git").items()
    }
    seen(checkout, into)
    after = {path: (content, mode, inode) for path, (content, mode, _, inode) in fingerprint(checkout / ".git").items()}

    assert after == before


def test_a_locked_index_does_not_matter(checkout, into):
    (checkout / ".git" / "index.lock").touch()
    (checkout / "README").write_text("changed\n")

    assert seen(checkout, into).source.dirty


# -- what git was in the middle of -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("state", "operation", "branch"), [(merging, "merge", "main"), (rebasing, "rebase", None)])
def test_an_unfinished_operation_is_named_and_its_files_are_taken_as_they_lie(
    checkout, into, tmp_path, state, operation, branch
):
    state(checkout)
    assert b"UU README" in git(checkout, "status", "--porcelain")
    observed = seen(checkout, into)

    assert (observed.source.operation, observed.source.branch) == (operation, branch)
    assert "<<<<<<<" in observed.patch.read_text()
    assert files(comes_back(observed, checkout, tmp_path)) == files(checkout)


def test_a_file_deleted_in_a_conflict_is_gone(checkout, into, tmp_path):
    merging(checkout)
    (checkout / "README").unlink()

    assert "README" not in files(comes_back(seen(checkout, into), checkout, tmp_path))


def test_a_bisection_and_a_detached_head_are_told(checkout, into):
    commit_all(checkout, "second")
    git(checkout, "checkout", "-q", "--detach")
    assert seen(checkout, into).source.branch is None
    git(checkout, "bisect", "start")

    assert seen(checkout, into).source.operation == "bisect"


def test_a_repository_without_a_commit_starts_from_the_empty_tree(tmp_path, into):
    root = new_repository(tmp_path / "new")
    (root / "staged").write_text("staged\n")
    git(root, "add", "staged")
    (root / "untracked").write_text("untracked\n")
    observed = seen(root, into)

    assert (observed.source.commit, observed.source.branch, observed.git_bundle) == (None, "main", None)
    assert files(comes_back(observed, root, tmp_path)) == files(root)


def test_a_new_repository_without_a_file_is_clean(tmp_path, into):
    source = seen(new_repository(tmp_path / "new"), into).source

    assert (source.tree, source.dirty, source.patch) == ("4b825dc642cb6eb9a060e54bf8d69288fbee4904", False, None)


# -- bytes, not what git makes of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["true", "input", "false"])
def test_line_ends_are_those_on_the_disk(checkout, into, settings, setting):
    settings.write_text(f"[core]\n\tautocrlf = {setting}\n")
    (checkout / ".gitattributes").write_text(
        "*.auto text=auto\n*.text text\n*.crlf text eol=crlf\n*.id ident\n*.u16 working-tree-encoding=UTF-16\n"
    )
    content = {
        "a.auto": b"dos\r\n",
        "a.text": b"dos\r\nunix\n",
        "a.crlf": b"unix\n",
        "a.id": b"$Id: mine $\n",
        "a.u16": b"not utf-16",
        "a": b"dos\r\n",
    }
    for name, data in content.items():
        (checkout / name).write_bytes(data)
    observed = seen(checkout, into)
    git(checkout, "apply", "--cached", "--whitespace=nowarn", str(observed.patch))

    assert git(checkout, "write-tree").decode().strip() == observed.source.tree
    assert {name: git(checkout, "cat-file", "blob", f":{name}") for name in content} == content


def test_a_file_that_a_clone_would_hold_is_not_changed(checkout, into):
    (checkout / ".gitattributes").write_text(
        "*.bat text eol=crlf\n*.id ident\n*.auto text=auto\n*.u16 text working-tree-encoding=UTF-16LE\n"
    )
    for name, data in {
        "a.bat": b"a\r\n",
        "b.bat": b"b\r\n",
        "a.id": b"$Id$\n",
        "a.auto": b"a\n",
        "a.u16": "a\n".encode("utf-16-le"),
    }.items():
        (checkout / name).write_bytes(data)
    commit_all(checkout)
    for name in ("a.bat", "b.bat", "a.id", "a.auto", "a.u16"):
        (checkout / name).unlink()
        git(checkout, "checkout", "--", name)
        os.utime(checkout / name, (1, 1))
    assert (checkout / "a.bat").read_bytes() == b"a\r\n"
    assert not seen(checkout, into).source.dirty
    (checkout / "a.auto").write_bytes(b"a\r\n")
    observed = seen(checkout, into)

    assert re.findall(r"^diff.* b/(.*)$", observed.patch.read_text(), re.MULTILINE) == ["a.auto"]


def test_a_staged_change_that_was_taken_back_on_the_disk_is_none(checkout, into):
    (checkout / ".gitattributes").write_text("* text=auto\n")
    commit_all(checkout)
    (checkout / "README").write_text("staged\n")
    git(checkout, "add", "README")
    (checkout / "README").write_text("read me\n")

    assert not seen(checkout, into).source.dirty


def test_what_lies_behind_a_pointer_is_not_taken_unless_it_changed(checkout, into):
    data = b"weights" * 1000
    pointer = f"version https://git-lfs.example.invalid/spec/v1\noid sha256:{hashlib.sha256(data).hexdigest()}\nsize {len(data)}\n"
    (checkout / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    for name in ("same.bin", "large.bin", "small.bin"):
        (checkout / name).write_text(pointer)
    commit_all(checkout)
    (checkout / "same.bin").write_bytes(data)
    (checkout / "large.bin").write_bytes(data[::-1])
    (checkout / "small.bin").write_bytes(b"now something else\n")
    observed = seen(checkout, into, caps=Caps(untracked_file=1000))

    assert left_out(observed) == {
        "large.bin": "changed, 6.8 KiB large, and kept in git through the filter `lfs`",
        "same.bin": "a file kept in Git LFS, 6.8 KiB large: git has pointers only",
    }
    assert re.findall(r"^diff.* b/(.*)$", observed.patch.read_text(), re.MULTILINE) == ["small.bin"]


def test_what_is_encrypted_in_git_does_not_get_into_a_patch(checkout, into):
    (checkout / ".gitattributes").write_text("*.locked filter=git-crypt diff=git-crypt\n")
    (checkout / "a.locked").write_text("encrypted\n")
    commit_all(checkout)
    for name in ("a.locked", "new.locked"):
        (checkout / name).write_text("plain\n")
    observed = seen(checkout, into)

    assert left_out(observed) == dict.fromkeys(
        ("a.locked", "new.locked"), "kept encrypted in git by the filter `git-crypt`"
    )
    assert not observed.source.dirty


def test_a_filter_is_not_run_and_its_large_product_is_not_taken(checkout, into, tmp_path):
    git(checkout, "config", "filter.large.clean", "echo pointer")
    (checkout / ".gitattributes").write_text("*.bin filter=large\n")
    for name in ("small.bin", "large.bin"):
        (checkout / name).write_bytes(b"x" * 5)
    commit_all(checkout)
    (checkout / "small.bin").write_bytes(b"small")
    (checkout / "large.bin").write_bytes(b"x" * 5000)
    (checkout / "large.txt").write_bytes(b"y" * 5000)
    git(checkout, "add", "large.txt")
    (checkout / "large.txt").write_bytes(b"z" * 5000)
    source = seen(checkout, into, caps=Caps(untracked_file=1000)).source

    assert [(each.path, each.reason) for each in source.left_out] == [
        ("large.bin", "changed, 4.9 KiB large, and kept in git through the filter `large`")
    ]
    patch = (into / "my-evals.patch").read_text()
    assert "+small" in patch
    assert "zzzz" in patch
    assert "large.bin" not in patch


@pytest.mark.parametrize(
    "setting",
    [
        "diff.noprefix=true",
        "diff.mnemonicPrefix=true",
        "diff.external=false",
        "color.ui=always",
        "diff.suppressBlankEmpty=true",
        "diff.submodule=log",
        "diff.renames=copies",
        "core.quotePath=false",
        "diff.context=0",
        "diff.algorithm=patience",
    ],
)
def test_a_persons_settings_do_not_change_the_patch(checkout, tmp_path, settings, setting):
    make_every_kind_of_change(checkout)
    make_odd_names(checkout)
    plain, configured = tmp_path / "plain", tmp_path / "configured"
    plain.mkdir()
    configured.mkdir()
    seen(checkout, plain)
    git(checkout, "config", *setting.split("="))

    assert seen(checkout, configured).patch.read_bytes() == (plain / "my-evals.patch").read_bytes()


def test_a_change_within_the_same_tick_and_size_is_seen(checkout):
    index = checkout / ".git" / "index"
    file = checkout / "README"
    same = 1_700_000_000 * 10**9
    os.utime(file, ns=(same, same))
    git(checkout, "config", "core.trustctime", "false")
    git(checkout, "update-index", "--refresh")
    os.utime(index, ns=(same, same))
    clean = tree_of(checkout)
    file.write_text("READ ME\n")
    os.utime(file, ns=(same, same))

    assert tree_of(checkout) != clean


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_change_hidden_from_git_is_seen(checkout, into, tmp_path, flag):
    git(checkout, "update-index", flag, "README", "tool", "package/code.py")
    (checkout / "README").write_text("hidden change\n")
    assert git(checkout, "status", "--porcelain") == b""
    observed = seen(checkout, into)

    assert "+hidden change" in observed.patch.read_text()
    assert "tool" not in observed.patch.read_text()


def test_what_a_sparse_checkout_leaves_out_stays_in_the_tree(checkout, into):
    whole = tree_of(checkout)
    with_sparse_patterns(checkout)
    assert not (checkout / "README").exists()
    assert tree_of(checkout) == whole
    (checkout / "README").write_text("back, and changed\n")

    assert "+back, and changed" in seen(checkout, into).patch.read_text()


@pytest.mark.parametrize("state", [with_split_index, with_sparse_checkout, with_untracked_cache])
def test_an_unusual_index_gives_the_exact_tree(checkout, into, tmp_path, state):
    (checkout / "other").mkdir()
    (checkout / "other" / "file").write_text("x")
    commit_all(checkout)
    state(checkout)
    (checkout / "package" / "code.py").write_text("changed\n")
    (checkout / "untracked").write_text("u")
    observed = seen(checkout, into)
    clone = comes_back(observed, checkout, tmp_path)

    assert files(clone).items() >= files(checkout).items()
    assert {"other/file", "untracked"} <= set(files(clone))


def test_a_persons_ignore_rules_hold(checkout, into, settings, tmp_path):
    (tmp_path / "configuration" / "git").mkdir(parents=True)
    (tmp_path / "configuration" / "git" / "ignore").write_text("*.default\n")
    (checkout / ".git" / "info").mkdir(exist_ok=True)
    (checkout / ".git" / "info" / "exclude").write_text("*.excluded\n")
    for name in ("a.default", "a.excluded", "a.ignored", "a.configured"):
        (checkout / name).write_text("x")
    assert re.findall(r"^diff.* b/(.*)$", seen(checkout, into).patch.read_text(), re.MULTILINE) == ["a.configured"]
    (tmp_path / "rules").write_text("*.configured\n*.default\n")
    settings.write_text(f"[core]\n\texcludesFile = {tmp_path}/rules\n")

    assert not seen(checkout, into).source.dirty


def test_the_executable_bit_is_not_trusted_where_git_does_not(checkout, into):
    git(checkout, "config", "core.fileMode", "false")
    (checkout / "README").chmod(0o755)

    assert not seen(checkout, into).source.dirty


# -- what is left out --------------------------------------------------------------------------------------------------


def left_out(observed: ObservedSource) -> dict[str, str]:
    return {each.path: each.reason for each in observed.source.left_out}


def test_untracked_outputs_are_left_out_and_named_once(checkout, into):
    before = tree_of(checkout, outputs=[checkout / "results"])
    (checkout / "results" / "deep").mkdir(parents=True)
    for number in range(5):
        (checkout / "results" / "deep" / f"{number}.json").write_text("{}")
    (checkout / "resultsx").write_text("not an output")
    observed = seen(checkout, into, outputs=[Path("results"), checkout / "nothing here"])

    assert left_out(observed) == {"results": "an output of the evaluation"}
    assert "resultsx" in observed.patch.read_text()
    (checkout / "resultsx").unlink()
    assert tree_of(checkout, outputs=[checkout / "results"]) == before
    assert tree_of(checkout) != before


def test_an_output_is_relative_to_the_directory_that_is_observed(checkout, into):
    (checkout / "package" / "out").write_text("x")

    assert left_out(seen(checkout / "package", into, outputs=[Path("out")])) == {
        "package/out": "an output of the evaluation"
    }


def test_a_tracked_file_stays_though_it_is_an_output(checkout, into):
    (checkout / "README").write_text("written by the evaluation\n")
    observed = seen(checkout, into, outputs=[checkout / "README"])

    assert left_out(observed) == {}
    assert "+written by the evaluation" in observed.patch.read_text()


@pytest.mark.parametrize("output", [".", "..", "/"])
def test_new_code_stays_though_the_whole_checkout_is_an_output(checkout, into, output):
    (checkout / "new.py").write_text("x")

    assert "new.py" in seen(checkout, into, outputs=[Path(output)]).patch.read_text()


def test_an_output_behind_a_link_is_left_out(checkout, into, tmp_path):
    (checkout / "real").mkdir()
    (checkout / "real" / "file").write_text("x")
    (tmp_path / "link").symlink_to(checkout / "real")
    (checkout / "outside").symlink_to(tmp_path)

    assert set(left_out(seen(checkout, into, outputs=[tmp_path / "link", checkout / "outside"]))) == {"real", "outside"}


def test_another_new_file_makes_the_trees_differ(checkout, into):
    first = seen(checkout, into).source.tree
    (checkout / "new").write_text("x")

    assert tree_of(checkout) != first


def test_a_large_untracked_file_is_left_out_and_named(checkout, into):
    (checkout / "large").write_bytes(b"x" * 2048)
    (checkout / "small").write_bytes(b"x" * 1024)
    observed = seen(checkout, into, caps=Caps(untracked_file=1024))

    assert left_out(observed) == {"large": "untracked and 2.0 KiB large"}
    assert "small" in observed.patch.read_text()


def test_the_smallest_files_are_taken_until_there_is_too_much(checkout, into):
    for name, size in {"a": 500, "b": 300, "c": 100}.items():
        (checkout / name).write_bytes(b"x" * size)

    assert left_out(seen(checkout, into, caps=Caps(untracked_together=400))) == {
        "a": "untracked and 500 bytes large, beyond what is taken along in all"
    }
    assert set(left_out(seen(checkout, into, caps=Caps(untracked_files=1)))) == {"a", "b"}


def test_many_files_that_are_left_out_are_named_by_their_folder(checkout, into):
    for folder, count in {"": 30, "images": 30, "few": 2}.items():
        (checkout / folder).mkdir(exist_ok=True)
        for number in range(count):
            (checkout / folder / f"{number}.jpg").write_bytes(b"x" * 1024)

    assert left_out(seen(checkout, into, caps=Caps(untracked_file=1))) == {
        "./": "30 untracked files here, 30.0 KiB large together",
        "few/0.jpg": "untracked and 1.0 KiB large",
        "few/1.jpg": "untracked and 1.0 KiB large",
        "images/": "30 untracked files here, 30.0 KiB large together",
    }


CREDENTIALS = (
    ".env", ".env.local", "package/.ENV", ".netrc", "_netrc", ".pgpass", ".npmrc", ".pypirc", ".git-credentials",
    ".htpasswd", "id_rsa", "id_ed25519.old", "id_ecdsa", "id_dsa", "a.pem", "a.key", "a.p12", "a.pfx", "a.keystore",
    "my-credentials-2.json", "my_service_account.json", "x/.aws/config", ".ssh/known_hosts", "x/.docker/config.json",
    "kubeconfig",
)  # fmt: skip
HARMLESS = (
    ".env.example",
    ".env.sample",
    "x/.env.template",
    "environment.py",
    "keys.py",
    "docker/config.json",
    "a.json",
)


def test_untracked_files_that_hold_credentials_by_their_name_are_left_out(checkout, into):
    before = tree_of(checkout)
    for name in (*CREDENTIALS, *HARMLESS):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("of " + "hunter2\n")
        if name in CREDENTIALS:
            assert tree_of(checkout) == before, name
        else:
            (checkout / name).unlink()
    for name in HARMLESS:
        (checkout / name).write_text("harmless\n")

    observed = seen(checkout, into)

    assert left_out(observed) == dict.fromkeys(CREDENTIALS, "may hold credentials")
    assert observed.patch is not None
    assert b"hunter2" not in observed.patch.read_bytes()
    assert observed.changed == tuple(checkout / name for name in sorted(HARMLESS))
    assert tree_of(checkout) == observed.source.tree


SECRET = b"hunter" + b"2\n"


def test_what_is_committed_of_a_credential_file_stays(checkout, into, tmp_path):
    (checkout / ".env").write_bytes(SECRET)
    commit_all(checkout)
    observed = seen(checkout, into)

    assert (observed.source.dirty, left_out(observed)) == (False, {})
    assert (comes_back(observed, checkout, tmp_path) / ".env").read_bytes() == SECRET


@pytest.mark.parametrize("staged", [True, False])
def test_a_change_to_a_credential_file_is_left_out(checkout, into, tmp_path, staged):
    for name in (".env", "package/id_rsa", "gone.pem"):
        (checkout / name).write_text("A=1\n")
    commit_all(checkout)
    (checkout / ".env").write_bytes(SECRET)
    (checkout / "package" / "id_rsa").write_bytes(b"\0" + SECRET)
    (checkout / "gone.pem").unlink()
    (checkout / "README").write_text("changed\n")
    if staged:
        git(checkout, "add", "--all")
    observed = seen(checkout, into)

    assert left_out(observed) == dict.fromkeys([".env", "package/id_rsa"], "may hold credentials")
    assert set(observed.changed) == {checkout / "README"}
    clone = comes_back(observed, checkout, tmp_path)
    assert (clone / ".env").read_text() == "A=1\n"
    assert not (clone / "gone.pem").exists()
    assert tree_of(checkout) == observed.source.tree


@pytest.mark.parametrize("born", [True, False])
def test_a_staged_credential_file_is_left_out(tmp_path, into, born):
    root = new_repository(tmp_path / "new")
    if born:
        commit_all(root)
    for name in (".env", "sub/credentials.json", ".netrc", "code.py"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(SECRET if name != "code.py" else b"x\n")
    git(root, "add", "--all")
    observed = seen(root, into)

    assert left_out(observed) == dict.fromkeys([".env", ".netrc", "sub/credentials.json"], "may hold credentials")
    assert SECRET.strip() not in observed.patch.read_bytes()
    assert set(files(comes_back(observed, root, tmp_path))) == {"code.py"}


def test_a_virtual_environment_and_a_cache_are_left_out_whole(checkout, into):
    for mark in (".venv/pyvenv.cfg", "tools/conda/conda-meta/history", "cache/CACHEDIR.TAG"):
        (checkout / mark).parent.mkdir(parents=True)
        (checkout / mark).write_text("made by a tool\n")
    (checkout / ".venv" / "lib").mkdir()
    (checkout / ".venv" / "lib" / "package.py").write_text("x\n")
    (checkout / "cache" / ".env").write_text("x\n")
    (checkout / "new.py").write_text("x\n")
    observed = seen(checkout, into)

    assert left_out(observed) == {
        ".venv/": "a virtual environment",
        "cache/": "a cache",
        "tools/conda/": "a conda environment",
    }
    assert re.findall(r"^diff.* b/(.*)$", observed.patch.read_text(), re.MULTILINE) == ["new.py"]


def test_a_checkout_that_a_tool_has_marked_is_not_left_out_itself(checkout, into):
    (checkout / "CACHEDIR.TAG").write_text("x\n")
    (checkout / "new.py").write_text("x\n")

    assert "new.py" in seen(checkout, into).patch.read_text()


# -- Git LFS -----------------------------------------------------------------------------------------------------------


def pointer_to(data: bytes) -> bytes:
    address = b"version https://git-lfs.example.invalid/spec/v1\n"
    return address + f"oid sha256:{hashlib.sha256(data).hexdigest()}\nsize {len(data)}\n".encode()


@pytest.fixture
def with_weights(checkout) -> Path:
    """A checkout with pointers, and what they lead to in their place."""
    (checkout / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    for number in range(3):
        (checkout / f"{number}.bin").write_bytes(pointer_to(b"%d" % number * 3000))
    commit_all(checkout)
    (checkout / "0.bin").write_bytes(b"0" * 3000)
    (checkout / "1.bin").write_bytes(b"1" * 3000)
    return checkout


def test_what_lies_behind_pointers_is_named_and_pointers_are_not(with_weights, into, tmp_path):
    (with_weights / "new.txt").write_text("x\n")
    observed = seen(with_weights, into)

    assert left_out(observed) == dict.fromkeys(
        ["0.bin", "1.bin"], "a file kept in Git LFS, 2.9 KiB large: git has pointers only"
    )
    assert lacking(observed, [with_weights / f"{number}.bin" for number in range(3)]) == [
        with_weights / "0.bin",
        with_weights / "1.bin",
    ]
    comes_back(observed, with_weights, tmp_path)


def test_a_file_in_git_as_it_is_though_its_kind_is_kept_in_lfs_is_not_named(checkout, into):
    for name, data in {"small.bin": b"x" * 10, "large.bin": b"x" * 5000}.items():
        (checkout / name).write_bytes(data)
    (checkout / ".gitattributes").write_text("*.bin filter=lfs\n")
    commit_all(checkout)

    assert left_out(seen(checkout, into)) == {}


def test_weights_too_large_to_be_compared_are_named_as_such(with_weights, into):
    observed = seen(with_weights, into, caps=Caps(compared_with_pointers=4000))

    assert sorted(left_out(observed).values()) == [
        "a file kept in Git LFS, 2.9 KiB large: git has pointers only",
        "kept in Git LFS, and too large to be compared with its pointer",
    ]
    assert not observed.source.dirty


def test_many_files_behind_pointers_are_named_by_their_folder(checkout, into):
    (checkout / ".gitattributes").write_text("*.bin filter=lfs -text\n")
    for number in range(30):
        (checkout / "package" / f"{number}.bin").write_bytes(pointer_to(b"%d" % number * 1024))
    commit_all(checkout)
    for number in range(30):
        (checkout / "package" / f"{number}.bin").write_bytes(b"%d" % number * 1024)
    observed = seen(checkout, into)

    assert left_out(observed) == {"package/": "30 files here kept in Git LFS, 50.0 KiB large: git has pointers only"}
    assert lacking(observed, [checkout / "package" / "3.bin", checkout / "package" / "code.py"]) == [
        checkout / "package" / "3.bin"
    ]


# -- which files a reader of the bundle has ----------------------------------------------------------------------------


def test_the_files_that_are_neither_in_the_commit_nor_in_the_patch_are_listed(checkout, into, tmp_path):
    (checkout / "new.py").write_text("x\n")
    (checkout / "a.ignored").write_text("x\n")
    (checkout / "large").write_bytes(b"x" * 2000)
    (checkout / "only ignored").mkdir()
    (checkout / "only ignored" / "a.ignored").write_text("x\n")
    (checkout / "link").symlink_to(tmp_path)
    names = ["README", "package", ".", "new.py", "a.ignored", "large", "only ignored", "link", "not there"]
    observed = seen(checkout, into, caps=Caps(untracked_file=1000))

    assert lacking(observed, [checkout / name for name in names]) == [
        checkout / name for name in ["a.ignored", "large", "only ignored", "link", "not there"]
    ]


def test_the_files_whose_bytes_are_in_the_patch_are_listed(checkout, into):
    (checkout / "README").unlink()
    (checkout / "tool").write_bytes(b"\0 changed")
    (checkout / "staged \u00e9\n").write_text("staged\n")
    git(checkout, "add", "--all")
    (checkout / "package" / "new.bin").write_bytes(b"\0 new")
    (checkout / "link").symlink_to("tool")
    (checkout / "a.ignored").write_text("ignored\n")

    observed = seen(checkout / "package", into)

    assert set(observed.changed) == {checkout / "tool", checkout / "staged \u00e9\n", checkout / "package" / "new.bin"}


def test_a_clean_checkout_has_no_changed_files(checkout, into):
    assert seen(checkout, into).changed == ()


def test_a_repository_within_and_a_socket_are_left_out(checkout, into):
    inner = new_repository(checkout / "inner")
    (inner / "x").write_text("x")
    os.mkfifo(checkout / "pipe")
    (checkout / "README").unlink()
    os.mkfifo(checkout / "README")
    observed = seen(checkout, into)

    assert left_out(observed) == {"inner/": "a git repository of its own", "README": "neither a file nor a link"}
    assert "deleted file" in observed.patch.read_text()


def test_an_unreadable_file_is_left_out(checkout, into, monkeypatch):
    (checkout / "README").write_text("changed\n")
    (checkout / "new").write_text("new\n")
    monkeypatch.setattr(
        "reprokit.probes.source.working_tree.os.access", lambda path, mode: path.name not in {"README", "new"}
    )
    observed = seen(checkout, into)

    assert left_out(observed) == {"README": "not readable", "new": "untracked and not readable"}
    assert not observed.source.dirty


def test_an_unreadable_file_that_is_only_meant_to_be_added_is_left_out(checkout, into, monkeypatch):
    (checkout / "new").write_text("new\n")
    git(checkout, "add", "--intent-to-add", "new")
    monkeypatch.setattr("reprokit.probes.source.working_tree.os.access", lambda path, mode: path.name != "new")
    observed = seen(checkout, into)

    assert left_out(observed) == {"new": "not readable"}
    assert not observed.source.dirty


def test_an_unreadable_file_in_a_conflict_is_left_out(checkout, into, monkeypatch):
    merging(checkout)
    monkeypatch.setattr("reprokit.probes.source.working_tree.os.access", lambda path, mode: path.name != "README")
    observed = seen(checkout, into)

    assert left_out(observed) == {"README": "not readable"}
    assert "--- a/README\n+++ /dev/null" in observed.patch.read_text()


def test_what_we_write_into_the_checkout_is_no_part_of_it(checkout, monkeypatch):
    into, temporary = checkout / "staging", checkout / "tmp"
    for folder in (into, temporary):
        folder.mkdir()
    (into / "log").write_text("x")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    assert not seen(checkout, into).source.dirty
    assert list(temporary.iterdir()) == []


# -- remotes and history -----------------------------------------------------------------------------------------------


@pytest.fixture
def published(checkout, tmp_path) -> Path:
    """The checkout, its commit pushed to a remote that others could fetch from."""
    bare = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", str(bare))
    git(checkout, "remote", "add", "origin", str(bare))
    git(checkout, "push", "--quiet", "origin", "main")
    git(checkout, "remote", "set-url", "origin", "https://host.invalid/evals.git")
    return checkout


def test_no_history_is_carried_when_a_remote_has_the_commit(published, into):
    source = seen(published, into).source

    assert (source.on_remote, source.git_bundle, source.left_out) == (True, None, [])
    assert source.remotes == {"origin": "https://host.invalid/evals.git"}
    assert list(into.iterdir()) == []


def test_history_is_carried_when_only_this_machine_has_the_remote(published, into, tmp_path):
    git(published, "remote", "set-url", "origin", str(tmp_path / "remote.git"))
    source = seen(published, into).source

    assert source.on_remote
    assert source.git_bundle == "source/my-evals.bundle"


def test_the_git_bundle_holds_the_whole_history_under_head(published, into, tmp_path):
    commit = commit_all(published, "on no remote")
    observed = seen(published, into)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(observed.git_bundle), str(clone))

    assert not observed.source.on_remote
    assert git(clone, "rev-parse", "HEAD").decode().strip() == commit
    assert len(git(clone, "log", "--format=%H").split()) == 2
    assert git(tmp_path, "bundle", "list-heads", str(observed.git_bundle)).decode() == f"{commit} HEAD\n"


def grow(root: Path) -> None:
    (root / "noise").write_bytes(os.urandom(20_000))
    commit_all(root, "large")


def test_a_large_history_is_carried_from_the_remote_on(checkout, into, tmp_path):
    grow(checkout)
    bare = tmp_path / "remote.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(checkout), str(bare))
    git(checkout, "remote", "add", "origin", str(bare))
    git(checkout, "fetch", "--quiet", "origin")
    git(checkout, "remote", "set-url", "origin", "git@host.invalid:evals.git")
    commit = commit_all(checkout, "on no remote")
    observed = seen(checkout, into, caps=Caps(git_bundle=10_000))

    assert observed.git_bundle.stat().st_size < 10_000
    git(tmp_path, "clone", "--quiet", str(bare), str(tmp_path / "clone"))
    git(tmp_path / "clone", "fetch", "--quiet", str(observed.git_bundle), "HEAD")
    assert git(tmp_path / "clone", "rev-parse", "FETCH_HEAD").decode().strip() == commit


def test_a_history_too_large_to_carry_is_named(checkout, into):
    grow(checkout)
    observed = seen(checkout, into, caps=Caps(git_bundle=10_000))

    assert observed.git_bundle is None
    assert re.fullmatch(
        r"the commit is on no remote .* and its history is \d+\.\d KiB large", left_out(observed)[".git"]
    )
    assert list(into.iterdir()) == []


def test_a_shallow_clone_says_that_its_history_is_not_whole(checkout, into, tmp_path):
    commit_all(checkout, "second")
    clone = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", checkout.as_uri(), str(clone))
    (clone / "README").write_text("changed\n")
    observed = seen(clone, into)

    assert observed.git_bundle is None
    assert left_out(observed) == {
        ".git": "the commit is on no remote that others could fetch from, and the clone is shallow, so that its history is not whole"
    }
    comes_back(observed, checkout, tmp_path)


def test_a_commit_made_in_a_shallow_clone_is_carried_from_the_remote_on(checkout, into, tmp_path):
    commit_all(checkout, "second")
    clone = tmp_path / "shallow"
    git(tmp_path, "clone", "--quiet", "--depth=1", checkout.as_uri(), str(clone))
    git(clone, "remote", "set-url", "origin", "https://host.invalid/x.git")
    commit = commit_all(clone, "third")
    observed = seen(clone, into)
    git(checkout, "fetch", "--quiet", str(observed.git_bundle), "HEAD")

    assert git(checkout, "rev-parse", "FETCH_HEAD").decode().strip() == commit


def test_everything_in_a_git_bundle_can_be_searched(checkout, into):
    (checkout / "notes").write_bytes(SECRET)
    commit_all(checkout, "notes for hunter3")
    (checkout / "notes").unlink()
    (checkout / "binary").write_bytes(b"\0hunter4\n")
    commit_all(checkout)
    (checkout / "hunter5").write_text("x\n")
    commit_all(checkout)
    found = list(texts(seen(checkout, into).history))

    for number in range(2, 6):
        assert any(b"hunter%d" % number in text for text in found), number
    assert SECRET in found
    assert b"\0hunter4\n" in found


def test_what_a_git_bundle_builds_on_is_not_searched(published, into):
    (published / "pushed").write_bytes(SECRET)
    pushed = commit_all(published)
    git(published, "update-ref", "refs/remotes/origin/main", pushed)
    (published / "local").write_text("local\n")
    commit_all(published)
    observed = seen(published, into, caps=Caps(git_bundle=1))
    assert observed.history is None
    observed = seen(published, into, caps=Caps(git_bundle=800))

    assert observed.history == History(root=published, tip=observed.source.commit, built_on=(pushed,))
    found = list(texts(observed.history))
    assert b"local\n" in found
    assert not any(b"hunter" in text for text in found)


def test_a_history_too_large_to_be_searched_is_our_own_error(checkout, into):
    history = seen(checkout, into).history
    whole = sum(len(text) for text in texts(history))

    assert whole > 300
    with pytest.raises(GitError, match="too much to be searched"):
        list(texts(history, most=200))


def test_a_history_of_many_and_large_files_is_read_whole(checkout, into, monkeypatch):
    for number in range(40):
        (checkout / f"{number}").write_bytes(b"%d\n" % number * number)
    commit_all(checkout)
    history = seen(checkout, into).history
    whole = sorted(texts(history))
    monkeypatch.setattr("reprokit.probes.source.history._READ_TOGETHER", 100)
    monkeypatch.setattr("reprokit.probes.source.history._MOST_TOGETHER", 7)

    assert sorted(texts(history)) == whole
    assert {b"%d\n" % number * number for number in range(40)} <= set(whole)


def test_objects_that_were_lost_since_are_told(checkout, into):
    history = seen(checkout, into).history
    blob = git(checkout, "rev-parse", "HEAD:README").decode().strip()
    (checkout / ".git" / "objects" / blob[:2] / blob[2:]).unlink()

    with pytest.raises(GitError):
        list(texts(history))


def test_addresses_lose_their_credentials(checkout, into, settings):
    settings.write_text('[url "https://ada:s3cret@host.invalid/"]\n\tinsteadOf = short:\n')
    for name, address in {
        "origin": "https://ada:s3cret@host.invalid/x.git?token=s3cret",
        "alias": "short:y.git",
        "scp": "git@host.invalid:x.git",
        "path": "/srv/git/x y.git",
        "two/part": "ssh://git:s3cret@host.invalid/x",
    }.items():
        git(checkout, "remote", "add", name, address)
    git(checkout, "remote", "set-url", "--add", "scp", "git@second.invalid:x.git")
    source = seen(checkout, into).source

    assert source.remotes == {
        "alias": "https://host.invalid/y.git",
        "origin": "https://host.invalid/x.git",
        "path": "/srv/git/x y.git",
        "scp": "git@host.invalid:x.git",
        "two/part": "ssh://git@host.invalid/x",
    }
    assert b"s3cret" not in msgspec.json.encode(source)


def test_a_partial_clone_is_looked_at_without_fetching(checkout, into, tmp_path):
    git(checkout, "config", "uploadpack.allowFilter", "true")
    (checkout / "README").write_text("second\n")
    commit_all(checkout, "second")
    clone = tmp_path / "partial"
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", checkout.as_uri(), str(clone))
    shutil.move(checkout, tmp_path / "away")
    (clone / "new").write_text("new")
    observed = seen(clone, into)

    assert observed.source.dirty
    assert "its history cannot be packed" in left_out(observed)[".git"]


# -- worktrees, submodules, and repositories that git will not read ----------------------------------------------------


def test_a_linked_worktree_is_a_checkout_of_its_own(checkout, into, tmp_path):
    tree = tmp_path / "linked"
    git(checkout, "worktree", "add", "--quiet", "-b", "branch", str(tree))
    (tree / "new").write_text("new")
    (checkout / ".git" / "info" / "exclude").write_text("hidden\n")
    (tree / "hidden").write_text("x")
    before = fingerprint(checkout / ".git")
    observed = seen(tree, into)

    assert fingerprint(checkout / ".git") == before
    assert (observed.source.name, observed.source.root, observed.source.branch) == ("linked", str(tree), "branch")
    assert "new" in observed.patch.read_text()
    assert "hidden" not in observed.patch.read_text()


def test_objects_borrowed_from_another_repository_are_found(checkout, into, tmp_path):
    clone = tmp_path / 'a:b "quoted" \\n'
    git(tmp_path, "clone", "--quiet", "--shared", str(checkout), str(clone))
    (clone / "README").write_text("changed\n")

    assert "+changed" in seen(clone, into).patch.read_text()


@pytest.fixture
def with_submodule(checkout, tmp_path) -> Path:
    library = new_repository(tmp_path / "library")
    (library / "code").write_text("1\n")
    commit_all(library)
    git(checkout, "submodule", "--quiet", "add", str(library), "vendored/library")
    commit_all(checkout)
    return checkout


def submodule_of(root: Path) -> Path:
    return root / "vendored" / "library"


@pytest.fixture
def with_fetchable_submodule(with_submodule) -> Path:
    git(submodule_of(with_submodule), "remote", "set-url", "origin", "https://host.invalid/library.git")
    return with_submodule


def test_a_submodule_is_named_with_its_commit(with_fetchable_submodule, into):
    commit = git(submodule_of(with_fetchable_submodule), "rev-parse", "HEAD").decode().strip()
    before = fingerprint(with_fetchable_submodule / ".git")
    observed = seen(with_fetchable_submodule, into)

    assert observed.source.submodules == {"vendored/library": commit}
    assert (observed.source.dirty, observed.source.left_out, observed.unsettled) == (False, [], ())
    assert observe_submodules(observed, into=into) == (observed,)
    assert fingerprint(with_fetchable_submodule / ".git") == before


def test_a_submodule_whose_commit_nobody_can_fetch_is_a_checkout_of_its_own(with_submodule, into):
    observed = seen(with_submodule, into)
    assert left_out(observed) == {
        "vendored/library": "a submodule whose commit is on no remote that others could fetch from"
    }
    first, inner = observe_submodules(observed, into=into)

    assert left_out(first) == {}
    assert (inner.root, inner.source.dirty) == (submodule_of(with_submodule), False)
    assert inner.git_bundle is not None
    assert [(use.kind, use.name) for use in inner.source.used_as] == [("submodule", "vendored/library")]


def test_changes_in_submodules_and_their_submodules_are_checkouts_of_their_own(
    with_fetchable_submodule, into, tmp_path
):
    inner = submodule_of(with_fetchable_submodule)
    deep = new_repository(tmp_path / "deep")
    (deep / "code").write_text("deep\n")
    commit_all(deep)
    git(inner, "submodule", "--quiet", "add", str(deep), "deep")
    (inner / "untracked").write_text("x\n")
    (inner / "deep" / "code").write_text("changed\n")
    before = fingerprint(with_fetchable_submodule / ".git")
    found = observe_submodules(seen(with_fetchable_submodule, into), into=into)

    assert fingerprint(with_fetchable_submodule / ".git") == before
    assert [each.root for each in found] == [with_fetchable_submodule, inner, inner / "deep"]
    assert [left_out(each) for each in found] == [{}, {}, {}]
    assert len({each.patch.name for each in found[1:]}) == 2
    for number, (each, origin) in enumerate(zip(found[1:], (inner, deep), strict=True)):
        (tmp_path / str(number)).mkdir()
        comes_back(each, origin, tmp_path / str(number))


def test_a_submodule_that_cannot_be_looked_at_stays_named(with_fetchable_submodule, into):
    (with_fetchable_submodule / ".git" / "modules" / "vendored" / "library" / "index").write_bytes(b"garbage")
    observed = seen(with_fetchable_submodule, into)

    assert left_out(observed)["vendored/library"].startswith("a submodule that cannot be looked at: ")
    assert observe_submodules(observed, into=into) == (observed,)


@pytest.mark.parametrize("ignore", ["none", "dirty", "all"])
def test_a_submodule_at_another_commit_changes_the_tree(with_submodule, into, tmp_path, ignore):
    git(with_submodule, "config", "submodule.vendored/library.ignore", ignore)
    git(with_submodule, "config", "-f", ".gitmodules", "submodule.vendored/library.ignore", ignore)
    commit = commit_all(with_submodule / "vendored" / "library", "moved")
    observed = seen(with_submodule, into)

    assert observed.source.submodules == {"vendored/library": commit}
    assert f"+Subproject commit {commit}" in observed.patch.read_text()
    comes_back(observed, with_submodule, tmp_path)


def test_uncommitted_changes_in_a_submodule_are_named(with_submodule, into):
    inner = with_submodule / "vendored" / "library"
    (inner / "untracked").write_text("x")
    before = fingerprint(with_submodule / ".git")
    observed = seen(with_submodule, into)

    assert left_out(observed) == {"vendored/library": "a submodule with changes that are not committed in it"}
    assert not observed.source.dirty
    assert fingerprint(with_submodule / ".git") == before
    assert seen(inner, into).source.name == "library"


def test_a_look_that_is_no_longer_wanted_is_cut_short(checkout, into):
    asked = []

    def go_on() -> bool:
        asked.append(True)
        return len(asked) < 5

    with pytest.raises(GitError, match="cut short"):
        observe(checkout, into=into, go_on=go_on)
    assert len(asked) == 5
    assert list(into.iterdir()) == []


def test_a_submodule_that_is_not_checked_out_is_named_all_the_same(with_submodule, into):
    git(with_submodule, "submodule", "--quiet", "deinit", "--all", "--force")
    source = seen(with_submodule, into).source

    assert list(source.submodules) == ["vendored/library"]
    assert (source.dirty, source.left_out) == (False, [])


def lose_head(root: Path) -> None:
    (root / ".git" / "HEAD").unlink()


def damage_branch(root: Path) -> None:
    (root / ".git" / "refs" / "heads" / "main").write_text("garbage")


def lose_objects(root: Path) -> None:
    shutil.rmtree(root / ".git" / "objects")
    (root / ".git" / "objects").mkdir()


def damage_index(root: Path) -> None:
    (root / ".git" / "index").write_bytes(b"garbage")


def damage_settings(root: Path) -> None:
    (root / ".git" / "config").write_text("[garbage")


def from_the_future(root: Path) -> None:
    git(root, "config", "core.repositoryFormatVersion", "99")


def lose_main_repository(root: Path) -> None:
    shutil.rmtree(root / ".git")
    (root / ".git").write_text("gitdir: /nowhere/at/all\n")


@pytest.mark.parametrize(
    "damage",
    [lose_head, damage_branch, lose_objects, damage_index, damage_settings, from_the_future, lose_main_repository],
)
def test_a_repository_that_git_cannot_read_is_our_own_error(checkout, into, damage):
    damage(checkout)

    with pytest.raises(GitError) as caught:
        observe(checkout, into=into)
    assert caught.value.message
    assert not isinstance(caught.value, GitMissingError)
    assert list(into.iterdir()) == []


def test_a_repository_of_somebody_else_is_our_own_error(checkout, into, monkeypatch):
    monkeypatch.setitem(reprokit.git._FIXED, "GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    with pytest.raises(GitError, match="dubious ownership") as caught:
        observe(checkout, into=into)
    assert "safe.directory" in caught.value.hint


def test_a_sha256_repository_is_our_own_error(tmp_path, into):
    git(tmp_path, "init", "--quiet", "--object-format=sha256", str(tmp_path / "new"))

    with pytest.raises(GitError, match="is a sha256 repository"):
        observe(tmp_path / "new", into=into)


def test_a_missing_git_is_our_own_error(checkout, into, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(GitMissingError):
        observe(checkout, into=into)


def test_a_disk_that_is_full_is_our_own_error(checkout, into, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfileobj", full)

    with pytest.raises(GitError, match="No space left on device"):
        observe(checkout, into=into)
