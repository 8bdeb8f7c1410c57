"""What was observed comes back exactly, and a hostile record gets nowhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reprokit.bundle.source import Source
from reprokit.bundle.values import Unknown
from reprokit.errors import ExitCode, FixityError, InputMissingError, InvalidRecordError, ReprokitError, UsageError
from reprokit.probes.source.checkout import Caps, ObservedSource, observe, tree_of
from reprokit.sources.restoring import restore, whence

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
NOWHERE = "1234567890123456789012345678901234567890"


def git(directory: Path, *arguments: str, stdin: bytes = b"", **variables: str) -> bytes:
    identity = {
        f"GIT_{who}_{what}": "ada@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    environment = os.environ | identity | variables
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    return subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True, input=stdin).stdout


@pytest.fixture(autouse=True)
def personal_settings(tmp_path, monkeypatch) -> Path:
    file = tmp_path / "settings"
    file.write_text("")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    return file


def new_repository(root: Path) -> Path:
    git(root.parent, "init", "--quiet", "--initial-branch=main", str(root))
    return root


def commit_all(root: Path) -> str:
    git(root, "add", "--all", "--force")
    git(root, "commit", "--quiet", "--allow-empty", "--message=a commit")
    return git(root, "rev-parse", "HEAD").decode().strip()


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


@pytest.fixture
def checkout(tmp_path) -> Path:
    root = new_repository(tmp_path / "evals")
    (root / "package").mkdir()
    (root / "package" / "code.py").write_text("print('hello')\n")
    (root / "README").write_text("read me\n")
    commit_all(root)
    return root


def seen(directory: Path, into: Path, **options) -> ObservedSource:
    into.mkdir(exist_ok=True)
    observed = observe(directory, into=into, **options)
    assert observed is not None
    return observed


def give_back(observed: ObservedSource, destination: Path, *, origin: str | Path | None = None, **changes) -> Path:
    source = msgspec.structs.replace(observed.source, **changes)
    restore(source, patch=observed.patch, git_bundle=observed.git_bundle, origin=origin, destination=destination)
    return destination


# -- the law -----------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    [b"a", b"b", b"c", b"folder/a", b"folder/b", b"folder/deep/a", b"other/a", b" ", b"with space", b"new\nline", b'quo"te',
     b"tab\t", b"\\", b"\xff\xfe", "grüße".encode(), b"-dash", b"*", b"a\r", b"dev/null", b"b/a", b".gitattributes", b".gitmodules"]
)  # fmt: skip
CONTENT = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"", b"\n", b"line\n" * 30, b"line\n" * 15 + b"changed\n" + b"line\n" * 14, b"dos\r\n" * 10, b"\0" * 200, b"* text=auto\n", b"* eol=crlf\n*a ident\n", b"$Id$\n", b"no end", b"-- \n", b"diff --git a/a b/a\n"]),
)  # fmt: skip
EDITS = st.one_of(
    st.tuples(st.just("write"), NAMES, CONTENT),
    st.tuples(st.just("delete"), NAMES, st.none()),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("program"), NAMES, st.none()),
    st.tuples(st.just("link"), NAMES, st.sampled_from([b"a", b"nowhere", b"..", b"/", b"folder", b"\xff"])),
    st.tuples(st.just("stage"), st.none(), st.none()),
    st.tuples(st.just("stage one"), NAMES, st.none()),
    st.tuples(st.just("unstage"), st.none(), st.none()),
)


def make_way(root: Path, name: Path) -> Path:
    """Remove what stands in the way of a file of that name, and make the folders above it."""
    for folder in list(name.parents)[-2::-1]:
        if (root / folder).is_symlink() or (root / folder).is_file():
            (root / folder).unlink()
        (root / folder).mkdir(exist_ok=True)
    target = root / name
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    return target


def edit(root: Path, kind: str, name: bytes, detail: bytes) -> None:
    path = Path(os.fsdecode(name or b""))
    file = root / path
    is_plain = file.is_file() and file.resolve() == file
    if kind in {"stage", "unstage"}:
        git(root, *(["add", "--all"] if kind == "stage" else ["reset", "--quiet"]))
    elif kind == "write":
        make_way(root, path).write_bytes(detail)
    elif kind == "link" and not name.startswith(b".git"):
        make_way(root, path).symlink_to(os.fsdecode(detail))
    elif is_plain:
        change_file(root, kind, path, detail)


def check_out_anew(root: Path) -> None:
    """Give every file the line ends that a clone would have."""
    for path in root.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    git(root, "reset", "--quiet", "--hard")


def change_file(root: Path, kind: str, path: Path, detail: bytes) -> None:
    file = root / path
    match kind:
        case "delete":
            file.unlink()
        case "rename":
            content = file.read_bytes()
            file.unlink()
            make_way(root, Path(os.fsdecode(detail))).write_bytes(content)
        case "program":
            file.chmod(0o755)
        case "stage one":
            git(root, "--literal-pathspecs", "add", "--force", "--", str(path))


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    committed=st.lists(st.tuples(NAMES, CONTENT), max_size=6), edits=st.lists(EDITS, max_size=12), born=st.booleans()
)
def test_what_was_observed_comes_back_exactly(committed, edits, born):
    with tempfile.TemporaryDirectory() as folder:
        root = new_repository(Path(folder).resolve() / "root")
        for name, content in committed:
            edit(root, "write", name, content)
        if born:
            commit_all(root)
            check_out_anew(root)
        for kind, name, detail in edits:
            edit(root, kind, name, detail)
        observed = seen(root, Path(folder) / "staging")
        back = give_back(observed, Path(folder) / "back")

        assert git(back, "write-tree").decode().strip() == observed.source.tree
        assert in_a_plain_clone(observed, Path(folder) / "plain") == observed.source.tree
        assert observed.source.swhid == f"swh:1:dir:{observed.source.tree}"
        assert files(back) == files(root)
        assert tree_of(root) == observed.source.tree


def in_a_plain_clone(observed: ObservedSource, clone: Path) -> str:
    """Make the tree as a person with git alone would, of a clone and the patch, and name it."""
    if observed.source.commit is None:
        new_repository(clone)
    else:
        git(clone.parent, "clone", "--quiet", "--no-local", "--no-checkout", str(observed.root), str(clone))
        git(clone, "read-tree", observed.source.commit)
    if observed.patch is not None:
        git(clone, "apply", "--cached", "--binary", "--whitespace=nowarn", str(observed.patch))
    return git(clone, "write-tree").decode().strip()


def test_a_checkout_that_came_back_is_observed_as_the_same(checkout, tmp_path):
    (checkout / "README").write_text("changed\n")
    (checkout / "new").write_text("new\n")
    observed = seen(checkout, tmp_path / "staging")
    again = seen(give_back(observed, tmp_path / "back"), tmp_path / "again")

    assert again.source.tree == observed.source.tree
    assert again.source.commit == observed.source.commit
    assert again.patch.read_bytes() == observed.patch.read_bytes()


# -- where the commit comes from ---------------------------------------------------------------------------------------


def test_the_carried_history_is_enough(checkout, tmp_path):
    observed = seen(checkout, tmp_path / "staging")
    shutil.rmtree(checkout)
    back = give_back(observed, tmp_path / "back")

    assert git(back, "rev-parse", "HEAD").decode().strip() == observed.source.commit
    assert git(back, "status", "--porcelain") == b""
    assert whence(observed.source, git_bundle=observed.git_bundle, origin=None) == "the git bundle that was captured"


def test_compressed_files_are_read(checkout, tmp_path):
    (checkout / "new").write_text("new\n")
    observed = seen(checkout, tmp_path / "staging")
    stored = {}
    for path in (observed.patch, observed.git_bundle):
        stored[path] = path.with_name(path.name + ".zst")
        stored[path].write_bytes(zstandard.compress(path.read_bytes()))
    restore(
        observed.source,
        patch=stored[observed.patch],
        git_bundle=stored[observed.git_bundle],
        origin=None,
        destination=tmp_path / "back",
    )

    assert files(tmp_path / "back") == files(checkout)


@pytest.mark.parametrize("form", [str, Path, lambda path: path.as_uri()])
def test_the_callers_clone_is_used_when_no_history_is_carried(checkout, tmp_path, form):
    observed = seen(checkout, tmp_path / "staging", caps=Caps(git_bundle=1))
    assert observed.git_bundle is None
    back = give_back(observed, tmp_path / "back", origin=form(checkout))

    assert files(back) == files(checkout)
    assert not (back / ".git" / "objects" / "info" / "alternates").exists()


def test_a_commit_on_no_branch_of_the_origin_is_found(checkout, tmp_path):
    git(checkout, "checkout", "--quiet", "--detach")
    (checkout / "README").write_text("detached\n")
    commit_all(checkout)
    observed = seen(checkout, tmp_path / "staging", caps=Caps(git_bundle=1))
    git(checkout, "checkout", "--quiet", "main")
    give_back(observed, tmp_path / "back", origin=checkout)

    assert (tmp_path / "back" / "README").read_text() == "detached\n"


def test_tags_come_along_from_the_origin(checkout, tmp_path):
    git(checkout, "tag", "v1.0")
    observed = seen(checkout, tmp_path / "staging", caps=Caps(git_bundle=1))

    assert git(give_back(observed, tmp_path / "back", origin=checkout), "describe", "--tags") == b"v1.0\n"


def test_a_shallow_clone_is_an_origin(checkout, tmp_path):
    (checkout / "README").write_text("second\n")
    commit_all(checkout)
    git(tmp_path, "clone", "--quiet", "--depth=1", checkout.as_uri(), str(tmp_path / "shallow"))
    observed = seen(tmp_path / "shallow", tmp_path / "staging")
    give_back(observed, tmp_path / "back", origin=tmp_path / "shallow")

    assert (tmp_path / "back" / "README").read_text() == "second\n"


@pytest.fixture
def ssh(tmp_path, monkeypatch) -> Path:
    """A stand-in for ssh that runs the other side here: `git@host.invalid:` starts at the folder that is given back."""
    home = tmp_path / "host"
    home.mkdir()
    program = tmp_path / "ssh"
    program.write_text(
        f'#!/bin/sh\nfor last; do :; done\necho "$*" >> "{tmp_path}/asked"\ncd "{home}" && exec sh -c "$last"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("GIT_SSH", str(program))
    monkeypatch.setenv("GIT_SSH_VARIANT", "ssh")
    return home


@pytest.fixture
def published(checkout, ssh) -> Path:
    git(ssh, "clone", "--quiet", "--bare", str(checkout), "evals.git")
    git(checkout, "remote", "add", "origin", "git@host.invalid:evals.git")
    git(checkout, "fetch", "--quiet", "origin")
    return checkout


def test_the_recorded_remote_is_fetched_from(published, tmp_path):
    (published / "new").write_text("new\n")
    observed = seen(published, tmp_path / "staging")
    assert observed.git_bundle is None
    shutil.move(published, tmp_path / "away")
    back = give_back(observed, tmp_path / "back")

    assert files(back) == files(tmp_path / "away")
    assert whence(observed.source, git_bundle=None, origin=None) == "the remote `origin` (git@host.invalid:evals.git)"


def test_a_checkout_from_a_remote_knows_that_the_remote_has_it(published, tmp_path):
    back = give_back(seen(published, tmp_path / "staging"), tmp_path / "back")
    again = seen(back, tmp_path / "again")

    assert again.source.on_remote
    assert again.source.remotes == {"origin": "git@host.invalid:evals.git"}
    assert again.git_bundle is None


def test_the_remotes_are_tried_in_their_order(published, tmp_path):
    observed = seen(published, tmp_path / "staging")
    remotes = {"local": "/nowhere", "first": "git@host.invalid:gone.git", "second": "git@host.invalid:evals.git"}
    give_back(observed, tmp_path / "back", remotes=remotes)

    assert [line.partition("git-upload-pack")[2] for line in (tmp_path / "asked").read_text().splitlines()][-3:] == [
        " 'gone.git'",
        " 'gone.git'",
        " 'evals.git'",
    ]


def test_a_history_that_builds_on_a_remote_gets_that_first(published, tmp_path):
    (published / "noise").write_bytes(os.urandom(20_000))
    commit_all(published)
    git(published, "push", "--quiet", "origin", "main")
    (published / "README").write_text("on no remote\n")
    commit = commit_all(published)
    observed = seen(published, tmp_path / "staging", caps=Caps(git_bundle=10_000))
    back = give_back(observed, tmp_path / "back")

    assert git(back, "rev-parse", "HEAD").decode().strip() == commit
    assert files(back) == files(published)
    assert (
        whence(observed.source, git_bundle=observed.git_bundle, origin=None)
        == "the git bundle that was captured, on top of the remote `origin` (git@host.invalid:evals.git)"
    )


def test_a_commit_that_is_nowhere_is_told(checkout, tmp_path):
    observed = seen(checkout, tmp_path / "staging", caps=Caps(git_bundle=1))
    other = new_repository(tmp_path / "other")
    commit_all(other)

    with pytest.raises(InputMissingError, match=r"is not to be had: .*other` does not have it") as caught:
        give_back(observed, tmp_path / "back", origin=other, commit=NOWHERE)
    assert caught.value.exit_code is ExitCode.INPUT_MISSING
    assert "--source" in caught.value.hint
    assert not (tmp_path / "back").exists()
    with pytest.raises(InputMissingError, match="it was on no remote, and no git bundle was captured"):
        give_back(observed, tmp_path / "back")
    assert isinstance(whence(observed.source, git_bundle=None, origin=None), Unknown)
    assert isinstance(whence(observed.source, git_bundle=None, origin=other), Unknown)
    assert whence(observed.source, git_bundle=None, origin=checkout) == f"`{checkout}`"


def test_a_place_without_a_repository_is_told(checkout, tmp_path):
    observed = seen(checkout, tmp_path / "staging", caps=Caps(git_bundle=1))
    (tmp_path / "folder").mkdir()

    with pytest.raises(InputMissingError, match=r"folder`: .*not a git repository"):
        give_back(observed, tmp_path / "back", origin=tmp_path / "folder")
    assert isinstance(whence(observed.source, git_bundle=None, origin=tmp_path / "folder"), Unknown)
    for origin in ("nowhere/at/all", "http://host.invalid/x", "ext::sh -c id", "--upload-pack=id"):
        with pytest.raises(UsageError, match="cannot be fetched from"):
            give_back(observed, tmp_path / "back", origin=origin)
        with pytest.raises(UsageError, match="cannot be fetched from"):
            whence(observed.source, git_bundle=None, origin=origin)


def test_a_source_without_a_commit_needs_only_its_patch(tmp_path):
    root = new_repository(tmp_path / "new")
    (root / "a").write_text("a\n")
    observed = seen(root, tmp_path / "staging")

    assert files(give_back(observed, tmp_path / "back")) == files(root)
    assert whence(observed.source, git_bundle=None, origin=None) == "its patch alone: the repository had no commit"


def test_a_patch_that_is_not_in_the_bundle_is_told(checkout, tmp_path):
    (checkout / "new").write_text("new\n")
    observed = seen(checkout, tmp_path / "staging")

    with pytest.raises(InputMissingError, match="the patch of the source `evals` is missing"):
        restore(observed.source, patch=None, git_bundle=observed.git_bundle, origin=None, destination=tmp_path / "back")


def test_a_destination_in_use_is_left_alone(checkout, tmp_path):
    observed = seen(checkout, tmp_path / "staging")
    for taken in ("folder/mine", "file"):
        (tmp_path / taken).parent.mkdir(exist_ok=True)
        (tmp_path / taken).write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "empty").mkdir()
    for name in ("folder", "file", "link"):
        with pytest.raises(UsageError):
            give_back(observed, tmp_path / name)
    give_back(observed, tmp_path / "empty")

    assert (tmp_path / "folder" / "mine").read_text() == "mine"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_another_tree_is_told_and_nothing_is_left(checkout, tmp_path):
    (checkout / "new").write_text("new\n")
    observed = seen(checkout, tmp_path / "staging")
    observed.patch.write_text(observed.patch.read_text().replace("+new", "+old"))

    with pytest.raises(FixityError, match="is not the tree that was captured: commit and patch give"):
        give_back(observed, tmp_path / "back")
    with pytest.raises(FixityError, match="the commit has"):
        restore(
            msgspec.structs.replace(observed.source, dirty=False),
            patch=None,
            git_bundle=observed.git_bundle,
            origin=None,
            destination=tmp_path / "back",
        )
    assert not (tmp_path / "back").exists()


# -- this person's settings --------------------------------------------------------------------------------------------


def test_a_persons_settings_do_not_change_what_comes_back(checkout, tmp_path, personal_settings):
    (checkout / ".gitattributes").write_text("*.filtered filter=mine\n")
    (checkout / "a.filtered").write_text("as it lies\n")
    (checkout / "dos").write_bytes(b"dos\r\nunix\n")
    commit_all(checkout)
    (checkout / "b.filtered").write_text("as it lies, too\n")
    (checkout / "trailing").write_bytes(b"space \r\n")
    observed = seen(checkout, tmp_path / "staging")
    template = tmp_path / "template" / "hooks"
    template.mkdir(parents=True)
    ran = f"touch '{tmp_path}/ran'"
    for name in ("post-checkout", "post-index-change", "reference-transaction", "post-merge"):
        (template / name).write_text(f"#!/bin/sh\n{ran}\n")
        (template / name).chmod(0o755)
    (tmp_path / "configuration" / "git").mkdir(parents=True)
    (tmp_path / "configuration" / "git" / "attributes").write_text("* text eol=crlf\n")
    personal_settings.write_text(
        f"[core]\n\tautocrlf = true\n\teol = crlf\n\thooksPath = {template}\n\tattributesFile = {tmp_path}/configuration/git/attributes\n"
        f"[init]\n\ttemplateDir = {template.parent}\n\tdefaultObjectFormat = sha256\n"
        f'[filter "mine"]\n\tsmudge = {ran}\n\tclean = {ran}\n\trequired = true\n'
        "[apply]\n\twhitespace = fix\n\tignoreWhitespace = change\n[submodule]\n\trecurse = true\n[fetch]\n\tprune = true\n"
    )
    for name, origin in (("carried", None), ("fetched", checkout)):
        carried = observed.git_bundle if origin is None else None
        restore(observed.source, patch=observed.patch, git_bundle=carried, origin=origin, destination=tmp_path / name)

        assert files(tmp_path / name) == files(checkout)
    assert not (tmp_path / "ran").exists()


def test_line_ends_that_the_repository_asks_for_are_written(checkout, tmp_path):
    (checkout / ".gitattributes").write_text("*.bat text eol=crlf\n")
    (checkout / "a.bat").write_bytes(b"unix\n")
    commit_all(checkout)
    (checkout / "a.bat").unlink()
    git(checkout, "checkout", "--", "a.bat")
    assert (checkout / "a.bat").read_bytes() == b"unix\r\n"
    (checkout / "b.bat").write_bytes(b"as it lies\n")
    observed = seen(checkout, tmp_path / "staging")

    assert files(give_back(observed, tmp_path / "back")) == files(checkout)


def test_attributes_that_came_after_the_files_do_not_change_them(checkout, tmp_path):
    (checkout / ".gitattributes").write_text("* text eol=crlf\n")
    observed = seen(checkout, tmp_path / "staging")

    assert files(give_back(observed, tmp_path / "back")) == files(checkout)
    assert {path.name for path in (tmp_path / "back" / ".git").iterdir()} >= {"HEAD", "index"}
    assert not (tmp_path / "back" / ".git" / "index-of-commit").exists()


# -- hostile records ---------------------------------------------------------------------------------------------------


def a_patch(path: str, content: str = "pwned\n", mode: str = "100644") -> str:
    lines = content.splitlines()
    body = "".join(f"+{line}\n" for line in lines) + (
        "" if content.endswith("\n") else "\\ No newline at end of file\n"
    )
    header = f"diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n"
    return f"{header}@@ -0,0 +1,{len(lines)} @@\n{body}"


HOSTILE_PATCHES = {
    "above": a_patch("../above"),
    "deep above": a_patch("package/../../above"),
    "absolute": a_patch("/tmp/reprokit-pwned").replace("a//tmp", "/tmp").replace("b//tmp", "/tmp"),
    "hooks": a_patch(".git/hooks/post-checkout", mode="100755"),
    "config": a_patch(".git/config"),
    "config in capitals": a_patch(".GIT/config"),
    "config, as Windows has it": a_patch("git~1/config"),
    "config, as macOS has it": a_patch(".g\u200cit/config"),
    "nested config": a_patch("package/.git/config"),
    "through a link": a_patch("link", "../..", "120000") + a_patch("link/file"),
    "through a link that is there": a_patch("there/file"),
    "a settings file that is a link": a_patch(".gitmodules", "../../settings", "120000"),
    "no patch": "this is no patch\n",
    "empty": "",
    "cut short": a_patch("file")[:-3],
    "renames from above": "diff --git a/../above b/file\nsimilarity index 100%\nrename from ../above\nrename to file\n",
}


@pytest.mark.parametrize("name", HOSTILE_PATCHES)
def test_a_hostile_patch_writes_nothing(checkout, tmp_path, name):
    (checkout / "there").symlink_to("..")
    commit_all(checkout)
    (tmp_path / "inner").mkdir()
    (tmp_path / "above").write_text("mine")
    observed = seen(checkout, tmp_path / "staging")
    patch = tmp_path / "hostile.patch"
    patch.write_text(HOSTILE_PATCHES[name])
    before = files(tmp_path)
    source = msgspec.structs.replace(observed.source, dirty=True)

    with pytest.raises((InvalidRecordError, FixityError)):
        restore(
            source, patch=patch, git_bundle=observed.git_bundle, origin=None, destination=tmp_path / "inner" / "back"
        )
    assert files(tmp_path) == before
    assert not Path("/tmp/reprokit-pwned").exists()


def hostile_tree(repository: Path, *entries: tuple[str, str, str]) -> tuple[str, str]:
    """Make a commit whose tree git itself would not make; give commit and tree."""
    raw = b""
    for mode, name, thing in entries:
        raw += f"{mode} {name}\0".encode() + bytes.fromhex(thing)
    tree = git(repository, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw).decode().strip()
    commit = git(repository, "commit-tree", tree, "-m", "hostile").decode().strip()
    git(repository, "update-ref", "refs/heads/main", commit)
    return commit, tree


@pytest.mark.parametrize("name", ["..", ".git", ".GIT", "git~1", "../above", "a/b"])
def test_a_hostile_tree_writes_nothing(checkout, tmp_path, name):
    blob = git(checkout, "hash-object", "-w", "--stdin", stdin=b"pwned").decode().strip()
    inner = hostile_tree(checkout, ("100644", "config", blob))[1]
    commit, tree = hostile_tree(checkout, ("40000", name, inner))
    before = files(tmp_path)
    source = Source(name="evals", root="/x", commit=commit, tree=tree, swhid="", dirty=False)

    with pytest.raises(ReprokitError):
        restore(source, patch=None, git_bundle=None, origin=checkout, destination=tmp_path / "back")
    assert files(tmp_path) == before


def test_a_file_behind_a_link_of_the_same_tree_writes_nothing(checkout, tmp_path):
    link = git(checkout, "hash-object", "-w", "--stdin", stdin=b"..").decode().strip()
    blob = git(checkout, "hash-object", "-w", "--stdin", stdin=b"pwned").decode().strip()
    folder = hostile_tree(checkout, ("100644", "file", blob))[1]
    commit, tree = hostile_tree(checkout, ("120000", "a", link), ("40000", "a", folder))
    before = set(files(tmp_path))
    source = Source(name="evals", root="/x", commit=commit, tree=tree, swhid="", dirty=False)

    with pytest.raises(ReprokitError):
        restore(source, patch=None, git_bundle=None, origin=checkout, destination=tmp_path / "inner" / "back")
    assert set(files(tmp_path)) == before


@pytest.mark.parametrize("field", ["commit", "tree"])
@pytest.mark.parametrize(
    "name", ["--output=pwned", "-h", "HEAD", "main", "", "HEAD:../x", NOWHERE + "\n", NOWHERE.upper() + "A", "1234567"]
)
def test_a_record_names_objects_and_nothing_else(checkout, tmp_path, field, name):
    observed = seen(checkout, tmp_path / "staging")

    with pytest.raises(InvalidRecordError, match=f"names a {field} that is none"):
        give_back(observed, tmp_path / "back", **{field: name})


@pytest.mark.parametrize(
    "address",
    [
        "ext::sh -c touch% PWNED",
        "-oProxyCommand=touch PWNED",
        "--upload-pack=touch PWNED",
        "ssh://-oProxyCommand=touch%20PWNED/x",
        "file:///ORIGIN",
        "/ORIGIN",
        "http://host.invalid/x",
        "git://host.invalid/x",
        "fd::0",
    ],
)
def test_a_hostile_remote_is_not_asked(checkout, tmp_path, address, ssh):
    observed = seen(checkout, tmp_path / "staging", caps=Caps(git_bundle=1))
    address = address.replace("PWNED", str(tmp_path / "pwned")).replace("/ORIGIN", str(checkout))

    with pytest.raises(InputMissingError):
        give_back(observed, tmp_path / "back", remotes={"origin": address}, on_remote=True)
    assert not (tmp_path / "pwned").exists()
    assert not (tmp_path / "asked").exists()
    source = msgspec.structs.replace(observed.source, remotes={"origin": address}, on_remote=True)
    assert isinstance(whence(source, git_bundle=None, origin=None), Unknown)


@pytest.mark.parametrize("name", ["../../x", "-x", "a b", "core.sshCommand=x\n", "x.lock", "", "a..b"])
def test_an_odd_name_of_a_remote_is_not_kept(published, tmp_path, name):
    observed = seen(published, tmp_path / "staging")
    back = give_back(observed, tmp_path / "back", remotes={name: "git@host.invalid:evals.git"})

    assert files(back) == files(published)
    assert "sshCommand" not in (back / ".git" / "config").read_text()
    assert {path.name for path in back.iterdir()} == {".git", "README", "package"}


@pytest.mark.parametrize(
    "content",
    [b"", b"# v2 git bundle\n", b"garbage" * 1000, b"# v2 git bundle\n" + NOWHERE.encode() + b" HEAD\n\nPACK garbage"],
)
def test_a_damaged_git_bundle_is_passed_over(checkout, tmp_path, content):
    observed = seen(checkout, tmp_path / "staging")
    observed.git_bundle.write_bytes(content)

    with pytest.raises(InputMissingError, match="the git bundle that was captured"):
        give_back(observed, tmp_path / "back")
    assert files(give_back(observed, tmp_path / "back", origin=checkout)) == files(checkout)
    assert isinstance(whence(observed.source, git_bundle=observed.git_bundle, origin=None), str)


def test_filters_and_submodules_of_a_foreign_repository_are_not_run(checkout, tmp_path):
    library = new_repository(tmp_path / "library")
    (library / "code").write_text("1\n")
    commit_all(library)
    git(checkout, "submodule", "--quiet", "add", str(library), "library")
    (checkout / ".gitattributes").write_text("* filter=lfs diff=lfs merge=lfs -text\n")
    (checkout / "pointer").write_text("version https://git-lfs.example.invalid/spec/v1\n")
    commit_all(checkout)
    observed = seen(checkout, tmp_path / "staging")
    back = give_back(observed, tmp_path / "back")

    assert (back / "pointer").read_bytes() == (checkout / "pointer").read_bytes()
    assert list((back / "library").iterdir()) == []
    assert not (back / ".git" / "modules").exists()
