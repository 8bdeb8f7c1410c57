"""The patch between two records is the real one, mirrors when the sides are swapped, and is learnt without trust."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reprokit.errors import InvalidRecordError
from reprokit.probes.source.checkout import observe
from reprokit.sources.between import Between, Carried, between
from reprokit.sources.comparison import LONGEST_PATCH
from reprokit.sources.restoring import restore
from reprokit.sources.sections import reverse_all, sections, text

NOWHERE = "1234567890123456789012345678901234567890"


def change_everything(root: Path, git: Callable[..., bytes]) -> None:
    """Change files of every kind: staged, unstaged and untracked."""
    (root / "package" / "code.py").write_text("".join(f"line {number % 37}\n" for number in range(3, 44)))
    (root / "README").unlink()
    (root / "run.sh").chmod(0o755)
    (root / "picture").write_bytes(bytes(range(255, -1, -1)))
    (root / "link").unlink()
    (root / "link").symlink_to("run.sh")
    (root / "long name.txt").rename(root / "andere Größe.txt")
    (root / "staged").write_text("staged\n")
    git(root, "add", "staged")
    (root / "new\nline").write_text("no end")
    (root / "-dash").write_text("dash\n")
    (root / "new picture").write_bytes(b"\0" * 100)
    (root / "empty").write_text("")


def look(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file below: its mode, its time and its content."""
    found = {}
    for path in sorted(root.rglob("*")):
        facts = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(facts.st_mode) else b""
        found[str(path.relative_to(root))] = (facts.st_mode, 0 if path.is_dir() else facts.st_mtime_ns, content)
    return found


def mirrored(found: Between) -> tuple[object, ...]:
    """What must be the same the other way round."""
    kinds = {"added": "removed", "removed": "added", "changed": "changed"}
    files = [(file.was or file.path, kinds[file.kind], file.removed, file.added) for file in found.files]
    patch = text(reverse_all(sections((found.patch or "").encode())))
    return found.learnt_from, found.reason, files, patch.decode()


def told(found: Between) -> tuple[object, ...]:
    files = [(file.path, file.kind, file.added, file.removed) for file in found.files]
    return found.learnt_from, found.reason, files, found.patch or ""


def tree_by(git: Callable[..., bytes], repository: Path, tree: str, patch: str, index: Path) -> str:
    """Apply a patch to a tree as a person would, and name what comes out."""
    own = {"GIT_INDEX_FILE": str(index)}
    git(repository, "read-tree", tree, **own)
    git(repository, "apply", "--cached", "--whitespace=nowarn", stdin=patch.encode(), **own)
    return git(repository, "write-tree", **own).decode().strip()


# -- from trees --------------------------------------------------------------------------------------------------------


def test_every_kind_of_change_is_told_and_mirrored(evals, git, carry):
    before = carry(evals)
    change_everything(evals, git)
    after = carry(evals)
    found = between(before, after)

    assert found.learnt_from == "trees"
    assert found.reason is None
    assert {(file.path, file.was, file.kind, file.added, file.removed) for file in found.files} == {
        ("-dash", None, "added", 1, 0),
        ("README", None, "removed", 0, 1),
        ("andere Größe.txt", "long name.txt", "changed", 0, 0),
        ("empty", None, "added", 0, 0),
        ("link", None, "changed", 1, 1),
        ("new\nline", None, "added", 1, 0),
        ("new picture", None, "added", None, None),
        ("package/code.py", None, "changed", 7, 6),
        ("picture", None, "changed", None, None),
        ("run.sh", None, "changed", 0, 0),
        ("staged", None, "added", 1, 0),
    }
    assert "Binary files a/picture and b/picture differ\n" in found.patch
    assert "rename from long name.txt\nrename to andere Größe.txt\n" in found.patch
    assert "old mode 100644\nnew mode 100755\n" in found.patch
    assert "+no end\n\\ No newline at end of file\n" in found.patch
    assert told(between(after, before)) == mirrored(found)
    assert mirrored(between(after, before)) == told(found)


def test_the_patch_leads_from_the_one_tree_to_the_other_and_back(evals, git, carry, tmp_path):
    before = carry(evals)
    change_everything(evals, git)
    for name in ("picture", "new picture"):
        (evals / name).unlink()
    git(evals, "checkout", "picture")
    after = carry(evals)
    git(evals, "add", "--all")
    git(evals, "write-tree")

    for one, other in ((before, after), (after, before)):
        patch = between(one, other).patch
        assert tree_by(git, evals, one.source.tree, patch, tmp_path / "index") == other.source.tree


LINES = st.lists(
    st.sampled_from(
        ["same\n", "other\n", "\n", "-\n", "+ x\n", "@@ -1 +1 @@\n", "diff --git a/x b/x\n", "\\ No\n", "a\rb\n"]
    ),
    max_size=12,
)
CONTENTS = st.builds(lambda lines, end: "".join(lines) + end, LINES, st.sampled_from(["", "no end", "\0"]))
STATES = st.dictionaries(st.sampled_from(["a", "b b", "c\nc", "\u00e9", '"q"', "d/e", "f and g", "-h", "t\t"]), CONTENTS, max_size=5)  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[*HealthCheck])
@given(states=st.lists(STATES, min_size=3, max_size=3), gone=st.booleans())
def test_whatever_changed_the_patch_applies_and_mirrors(states, gone, git, commit):
    with tempfile.TemporaryDirectory() as folder:
        root, other = Path(folder).resolve() / "root", Path(folder) / "other"
        git(root.parent, "init", "--quiet", root)
        carried = []
        for number, state in enumerate(states):
            for path in [path for path in root.iterdir() if path.name != ".git"]:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            for name, content in state.items():
                (root / name).parent.mkdir(exist_ok=True)
                (root / name).write_text(content, newline="")
            if number == 0:
                commit(root)
                continue
            (into := Path(folder) / str(number)).mkdir()
            observed = observe(root, into=into)
            carried.append(Carried(source=observed.source, patch=observed.patch))
            git(root, "add", "--all")
            git(root, "write-tree")
        root.rename(other if gone else root)
        found, back = between(*carried), between(*carried[::-1])

        same = carried[0].source.tree == carried[1].source.tree
        assert found.learnt_from == ("patches" if gone and not same else "trees")
        assert told(back) == mirrored(found)
        if same or "Binary files" in found.patch:
            return
        came_out = tree_by(git, other if gone else root, carried[0].source.tree, found.patch, Path(folder) / "index")
        assert came_out == carried[1].source.tree


def test_two_commits_with_changes_of_their_own_on_both(evals, git, commit, carry, tmp_path):
    (evals / "README").write_text("changed in a\n")
    before = carry(evals)
    git(evals, "stash", "--quiet")
    (evals / "package" / "code.py").write_text("all new\n")
    commit(evals)
    (evals / "README").write_text("changed in b\n")
    after = carry(evals)
    git(evals, "add", "--all")
    git(evals, "write-tree")
    found = between(before, after)

    assert [(file.path, file.added, file.removed) for file in found.files] == [
        ("README", 1, 1),
        ("package/code.py", 1, 40),
    ]
    assert "-changed in a\n+changed in b\n" in found.patch
    assert told(between(after, before)) == mirrored(found)


def test_a_submodule_and_a_file_that_becomes_a_link_are_told(evals, git, commit, carry, tmp_path):
    library = tmp_path / "library"
    git(tmp_path, "init", "--quiet", library)
    (library / "code").write_text("1\n")
    commit(library)
    git(evals, "submodule", "--quiet", "add", library, "library")
    commit(evals)
    before = carry(evals)
    (library / "code").write_text("2\n")
    commit(library)
    git(evals / "library", "pull", "--quiet")
    (evals / "README").unlink()
    (evals / "README").symlink_to("run.sh")
    after = carry(evals)
    found = between(before, after)

    assert [(file.path, file.kind, file.added, file.removed) for file in found.files] == [
        ("README", "changed", 1, 1),
        ("library", "changed", 1, 1),
    ]
    assert "-Subproject commit" in found.patch
    assert found.patch.index("deleted file mode 100644") < found.patch.index("new file mode 120000")
    back = between(after, before)
    assert told(back) == mirrored(found)
    assert back.patch.index("deleted file mode 120000") < back.patch.index("new file mode 100644")


def test_a_repository_without_a_commit_needs_nothing_but_the_patches(tmp_path, git, carry):
    root = tmp_path / "new"
    git(tmp_path, "init", "--quiet", root)
    (root / "a").write_text("1\n")
    before = carry(root)
    (root / "a").write_text("2\n")
    after = carry(root)
    shutil.rmtree(root)
    found = between(before, after)

    assert found.learnt_from == "trees"
    assert "-1\n+2\n" in found.patch


# -- where commits come from -------------------------------------------------------------------------------------------


def test_the_carried_history_of_one_side_is_enough_for_both(evals, commit, carry, tmp_path):
    before = carry(evals)
    (evals / "README").write_text("second\n")
    commit(evals)
    after = carry(evals, with_history=True)
    shutil.rmtree(evals)
    stored = after.git_bundle.with_name("history.bundle.zst")
    stored.write_bytes(zstandard.compress(after.git_bundle.read_bytes()))

    for one in (after, replace(after, git_bundle=stored)):
        found = between(before, one)
        assert found.learnt_from == "trees"
        assert "-read me\n+second\n" in found.patch


def test_a_history_that_builds_on_another_is_completed_from_a_clone(evals, git, commit, carry, tmp_path):
    (evals / "noise").write_bytes(os.urandom(20_000))
    commit(evals)
    git(tmp_path, "clone", "--quiet", "--bare", evals, "published")
    git(evals, "remote", "add", "origin", str(tmp_path / "published"))
    git(evals, "fetch", "--quiet", "origin")
    git(evals, "remote", "set-url", "origin", "git@host.invalid:evals.git")
    before = carry(evals)
    (evals / "README").write_text("on no remote\n")
    commit(evals)
    after = carry(evals, with_history=True, git_bundle=10_000)
    shutil.rmtree(evals)

    assert after.git_bundle is not None
    assert between(before, after).learnt_from == "nothing"
    found = between(before, after, clones=[tmp_path / "published"])
    assert found.learnt_from == "trees"
    assert "-read me\n+on no remote\n" in found.patch


@pytest.mark.parametrize("kind", ["moved", "subfolder", "bare", "worktree", "shallow", "borrowing"])
def test_a_clone_of_any_kind_is_read_and_nothing_is_written_to_it(evals, git, commit, carry, tmp_path, kind):
    (evals / "README").write_text("second\n")
    commit(evals)
    before = carry(evals)
    (evals / "README").write_text("third\n")
    after = carry(evals)
    git(evals, "checkout", "--quiet", "README")
    elsewhere = tmp_path / 'else:where "quoted"'
    elsewhere.mkdir()
    match kind:
        case "moved" | "subfolder":
            shutil.move(evals, elsewhere / "clone")
        case "bare":
            git(elsewhere, "clone", "--quiet", "--bare", "--no-hardlinks", evals, "clone")
        case "worktree":
            shutil.move(evals, elsewhere / "main")
            git(elsewhere / "main", "worktree", "add", "--quiet", elsewhere / "clone", "--detach")
        case "shallow":
            git(elsewhere, "clone", "--quiet", "--depth=1", evals.as_uri(), "clone")
        case "borrowing":
            shutil.move(evals, elsewhere / "main")
            git(elsewhere, "clone", "--quiet", "--shared", elsewhere / "main", "clone")
    shutil.rmtree(evals, ignore_errors=True)
    for path in elsewhere.rglob("objects/??/*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    seen = look(elsewhere)
    found = between(before, after, clones=[elsewhere / "clone" / ("package" if kind == "subfolder" else "")])

    assert found.learnt_from == "trees"
    assert "-second\n+third\n" in found.patch
    assert look(elsewhere) == seen


def test_a_partial_clone_is_enough_when_it_has_what_changed(evals, git, commit, carry, tmp_path):
    git(evals, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "--quiet", "--no-checkout", "--filter=blob:none", evals.as_uri(), "partial")
    before = carry(evals)
    (evals / "new").write_text("new\n")
    after = carry(evals)
    shutil.rmtree(evals)
    found = between(before, after, clones=[tmp_path / "partial"])

    assert found.learnt_from == "trees"
    assert [file.path for file in found.files] == ["new"]


def test_a_commit_that_is_nowhere_is_told_with_what_to_do(evals, commit, carry, tmp_path):
    before = carry(evals)
    (evals / "README").write_text("second\n")
    commit(evals)
    after = carry(evals)
    shutil.rmtree(evals)
    one, other = sorted((before.source.commit, after.source.commit))
    found = between(before, after, clones=[tmp_path, tmp_path / "nowhere"])

    assert found.learnt_from == "nothing"
    assert found.reason == (
        f"the commits {one[:12]}… and {other[:12]}… are in no clone known here: name one with `--source DIR`"
    )
    assert told(between(after, before)) == mirrored(found)


# -- from patches alone ------------------------------------------------------------------------------------------------


def test_what_the_patches_hold_whole_comes_out_as_from_the_trees(evals, git, carry, tmp_path):
    (evals / "README").unlink()
    (evals / "both").write_text("one\ntwo\nthree\n")
    (evals / "mine").write_text("mine\n")
    (evals / "new picture").write_bytes(b"\0" * 100)
    (evals / "link").unlink()
    (evals / "link").write_text("a file\n")
    before = carry(evals)
    git(evals, "checkout", "README")
    (evals / "both").write_text("one\n2\nthree\n")
    (evals / "mine").unlink()
    (evals / "new picture").write_bytes(b"\0" * 101)
    after = carry(evals)
    known = between(before, after)
    shutil.rmtree(evals)
    found = between(before, after)

    assert known.learnt_from == "trees"
    assert found.learnt_from == "patches"
    assert "only the patches were compared, name one with `--source DIR`" in found.reason
    assert (found.files, found.patch) == (known.files, known.patch)
    assert told(between(after, before)) == mirrored(found)


def test_what_the_patches_only_change_leads_back_to_the_commit_and_on(evals, git, carry, tmp_path):
    lines = [f"line {number}\n" for number in range(40)]
    (evals / "package" / "code.py").write_text("".join(["in a\n", *lines]))
    (evals / "long name.txt").write_text("only in a\n")
    (evals / "README").write_text("in both\n")
    (evals / "picture").write_bytes(b"\0a")
    before = carry(evals)
    git(evals, "add", "--all")
    git(evals, "write-tree")
    (evals / "package" / "code.py").write_text("".join([*lines, "in b\n"]))
    git(evals, "checkout", "HEAD", "long name.txt")
    (evals / "run.sh").chmod(0o755)
    after = carry(evals)
    git(evals, "add", "--all")
    git(evals, "write-tree")
    shutil.move(evals, tmp_path / "away")
    found = between(before, after)

    assert found.learnt_from == "patches"
    assert found.reason.endswith("files that both changed are shown back to the commit and on from there: 1")
    assert [(file.path, file.added, file.removed) for file in found.files] == [
        ("long name.txt", 30, 1),
        ("package/code.py", 1, 1),
        ("run.sh", 0, 0),
    ]
    assert tree_by(git, tmp_path / "away", before.source.tree, found.patch, tmp_path / "i") == after.source.tree
    back = between(after, before)
    assert told(back) == mirrored(found)
    assert tree_by(git, tmp_path / "away", after.source.tree, back.patch, tmp_path / "i") == before.source.tree


def test_a_binary_file_that_both_changed_is_named_without_its_content(evals, carry):
    (evals / "picture").write_bytes(b"\0" + b"a" * 1000)
    before = carry(evals)
    (evals / "picture").write_bytes(b"\0" + b"b" * 1000)
    after = carry(evals)
    shutil.rmtree(evals)
    found = between(before, after)

    assert [(file.path, file.kind, file.added, file.removed) for file in found.files] == [
        ("picture", "changed", None, None)
    ]
    assert found.patch.count("Binary files a/picture and b/picture differ\n") == 2
    assert "GIT binary patch" not in found.patch


def test_one_side_without_changes_needs_no_patch(evals, carry):
    before = carry(evals)
    (evals / "README").write_text("changed\n")
    after = carry(evals)
    shutil.rmtree(evals)
    found = between(before, after)

    assert found.learnt_from == "patches"
    assert "-read me\n+changed\n" in found.patch
    assert told(between(after, before)) == mirrored(found)


# -- bounds ------------------------------------------------------------------------------------------------------------


def test_a_long_patch_is_cut_at_a_line_and_all_files_are_listed(evals, carry):
    before = carry(evals)
    for number in range(3):
        (evals / f"long {number}").write_text("a line of thirty letters or so\n" * 20_000)
    after = carry(evals)
    found = between(before, after)

    assert len(found.patch) <= LONGEST_PATCH
    assert found.patch.endswith("\n")
    assert [file.added for file in found.files] == [20_000] * 3
    shown = found.patch.count("\n")
    assert found.reason == f"the patch is cut, {3 * 20_006 - shown} more lines are left out"


def test_contents_that_would_fill_the_memory_are_counted_and_not_shown(evals, carry):
    before = carry(evals)
    for number in range(5):
        (evals / f"large {number}").write_bytes(b"x" * (8 << 20) + b"\n")
    (evals / "larger").write_bytes(b"x" * (17 << 20))
    (evals / "small").write_text("small\n")
    after = carry(evals, untracked_file=1 << 30, untracked_together=1 << 30)
    found = between(before, after)

    assert {file.path: file.added for file in found.files} == {
        **{f"large {number}": 1 for number in range(5)},
        "larger": None,
        "small": 1,
    }
    assert "files too large together to be compared line by line: 2" in found.reason


# -- records that do not tell the truth --------------------------------------------------------------------------------


def with_facts(carried: Carried, **facts: object) -> Carried:
    return replace(carried, source=msgspec.structs.replace(carried.source, **facts))


def test_a_tree_that_is_not_the_recorded_one_is_a_reason(evals, carry):
    before = carry(evals)
    (evals / "new").write_text("new\n")
    after = carry(evals)
    after.patch.write_text(after.patch.read_text().replace("+new", "+old"))

    found = between(before, after)
    assert found.learnt_from == "nothing"
    assert found.reason.startswith("in b: `evals` is not the tree that was captured: commit and patch give")
    found = between(with_facts(before, tree=NOWHERE), after)
    assert "in a: `evals` is not the tree that was captured: the commit has" in found.reason
    assert "; in b: " in found.reason


@pytest.mark.parametrize("field", ["commit", "tree"])
@pytest.mark.parametrize("name", ["--output=pwned", "-h", "HEAD", "main", "", "HEAD:../x", NOWHERE + "\n", "f" * 64])
def test_a_record_that_names_no_object_is_a_reason(evals, carry, field, name):
    before = carry(evals)
    (evals / "new").write_text("new\n")
    found = between(before, with_facts(carry(evals), **{field: name}))

    assert found.learnt_from == "nothing"
    assert found.reason
    assert found.patch is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text("no patch\n"),
        lambda path: (path.unlink(), os.mkfifo(path)),
        lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
        lambda path: (path.unlink(), path.mkdir()),
    ],
)
@pytest.mark.parametrize("gone", [False, True])
def test_a_patch_that_cannot_be_read_is_a_reason(evals, carry, damage, gone):
    before = carry(evals)
    (evals / "new").write_text("new\n")
    after = carry(evals)
    damage(after.patch)
    if gone:
        shutil.rmtree(evals)

    assert between(before, after).learnt_from == "nothing"
    assert between(before, after).reason
    assert between(before, replace(after, patch=None)).reason.endswith("the patch of the source `evals` is missing")


def test_a_patch_that_unpacks_to_more_than_any_patch_is_refused(evals, carry, tmp_path):
    before = carry(evals)
    (evals / "new").write_text("new\n")
    after = carry(evals)
    bomb = tmp_path / "bomb.patch.zst"
    with bomb.open("wb") as file, zstandard.ZstdCompressor().stream_writer(file) as writer:
        for _ in range(300):
            writer.write(b"\n" * (1 << 20))
    found = between(before, replace(after, patch=bomb))

    assert found.reason == "in b: `bomb.patch.zst` holds more than 256 MiB"
    bomb.write_bytes(bomb.read_bytes()[:-100])
    assert between(before, replace(after, patch=bomb)).learnt_from == "nothing"


@pytest.mark.parametrize("content", [b"", b"# v2 git bundle\n", b"garbage" * 1000, b"# v2 git bundle\n-x\n@\n\nPACK"])
def test_a_damaged_git_bundle_is_passed_over(evals, carry, tmp_path, content):
    before = carry(evals)
    (evals / "README").write_text("changed\n")
    after = carry(evals)
    damaged = tmp_path / "damaged.bundle"
    damaged.write_bytes(content)

    assert between(before, replace(after, git_bundle=damaged)).learnt_from == "trees"
    for unreadable in (tmp_path, tmp_path / "nowhere"):
        assert between(before, replace(after, git_bundle=unreadable)).learnt_from == "trees"


# -- hostile records ---------------------------------------------------------------------------------------------------


def adding(path: str, content: str = "pwned\n", mode: str = "100644") -> str:
    header = f"diff --git a/{path} b/{path}\nnew file mode {mode}\n--- /dev/null\n+++ b/{path}\n"
    return (
        header + f"@@ -0,0 +1 @@\n+{content}" + ("" if content.endswith("\n") else "\n\\ No newline at end of file\n")
    )


HOSTILE = {
    "above": adding("../above"),
    "deep above": adding("package/../../above"),
    "absolute": adding("/tmp/reprokit-pwned").replace("a//tmp", "/tmp").replace("b//tmp", "/tmp"),
    "hooks": adding(".git/hooks/post-index-change", mode="100755"),
    "config": adding(".GIT/config"),
    "through a link": adding("out", "../..", "120000") + adding("out/file"),
    "through a link that is there": adding("there/file"),
    "a settings file that is a link": adding(".gitmodules", "../../settings", "120000"),
    "an option": adding("--output=pwned"),
    "attributes": adding(".gitattributes", "* filter=evil diff=evil merge=evil\n"),
    "no end": adding("file")[:-3],
    "two names": "diff --git a/one b/other\nold mode 100644\nnew mode 100755\n",
    "odd quoting": 'diff --git "a/\\777\\q" "b/\\777\\q"\nnew file mode 100644\n--- /dev/null\n+++ "b/x\n',
}


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_patch_writes_nothing_and_runs_nothing(evals, commit, carry, tmp_path, monkeypatch, name, gone):
    (evals / "there").symlink_to("..")
    commit(evals)
    scratch = tmp_path / "temporary"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    before = carry(evals)
    patch = tmp_path / "hostile.patch"
    patch.write_text(HOSTILE[name])
    after = replace(with_facts(before, dirty=True, tree=NOWHERE), patch=patch)
    if gone:
        shutil.rmtree(evals)
    seen = look(tmp_path)
    found, back = between(before, after), between(after, before)

    assert found.learnt_from in ({"nothing", "patches"} if gone else {"nothing"})
    assert found.reason
    assert told(back)[3] == mirrored(found)[3]
    assert look(tmp_path) == seen
    assert not Path("/tmp/reprokit-pwned").exists()


@pytest.mark.parametrize("root", ["/etc", "/dev/null", "FIFO", "--upload-pack=touch pwned", "-c", "", ".", "//host/x",
                                  "/no\0where", "FILE", "/" + "x" * 5000, "ext::sh -c touch% pwned", "https://x/y"])  # fmt: skip
def test_a_hostile_root_is_passed_over(evals, commit, carry, tmp_path, monkeypatch, root):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("# v2 git bundle\n")
    root = {"FIFO": str(tmp_path / "fifo"), "FILE": str(tmp_path / "file")}.get(root, root)
    before = carry(evals)
    (evals / "README").write_text("second\n")
    commit(evals)
    after = carry(evals)
    monkeypatch.chdir(evals)
    seen = look(tmp_path)
    found = between(with_facts(before, root=root), with_facts(after, root=root))

    assert found.learnt_from == "nothing"
    assert "are in no clone known here" in found.reason
    assert look(tmp_path) == seen


def test_a_few_trees_that_stand_for_endless_files_are_refused(evals, git, commit, carry, tmp_path):
    before = carry(evals)
    (evals / "README").write_text("second\n")
    commit(evals)
    tree = git(evals, "write-tree").decode().strip()
    for _ in range(12):
        rows = b"".join(b"040000 tree %s\t%d\0" % (tree.encode(), number) for number in range(10))
        tree = git(evals, "mktree", "-z", stdin=rows).decode().strip()
    endless = git(evals, "commit-tree", tree, "-m", "endless").decode().strip()
    after = with_facts(carry(evals), commit=endless, tree=tree)
    found = between(before, after)

    assert found.reason == f"in b: the commit {endless[:12]}… has more files than any repository"
    with pytest.raises(InvalidRecordError, match="more files than any repository"):
        restore(after.source, patch=None, git_bundle=None, origin=evals, destination=tmp_path / "back")


def test_nothing_that_a_clone_is_set_up_with_is_run(evals, git, commit, carry, tmp_path):
    ran = f"touch '{tmp_path}/ran'"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{ran}\ncat\n")
    program.chmod(0o755)
    (evals / ".gitattributes").write_text("* filter=evil diff=evil\n")
    (evals / "lacking").write_text("not in the clone\n")
    commit(evals)
    before = carry(evals)
    (evals / "README").write_text("second\n")
    commit(evals)
    after = carry(evals)
    for name in ("post-checkout", "post-index-change", "reference-transaction", "pre-auto-gc"):
        shutil.copy(program, evals / ".git" / "hooks" / name)
    blob = git(evals, "rev-parse", "HEAD:lacking").decode().strip()
    (evals / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    for setting, value in {
        "core.fsmonitor": str(program),
        "core.sshCommand": str(program),
        "core.alternateRefsCommand": str(program),
        "core.pager": str(program),
        "diff.external": str(program),
        "diff.evil.command": str(program),
        "diff.evil.textconv": str(program),
        "filter.evil.clean": str(program),
        "filter.evil.smudge": str(program),
        "uploadpack.packObjectsHook": str(program),
        "extensions.partialClone": "origin",
        "core.repositoryformatversion": "1",
        "remote.origin.url": str(tmp_path / "carried-1"),
        "remote.origin.promisor": "true",
        "remote.origin.uploadpack": str(program),
    }.items():
        git(evals, "config", setting, value)
    found = between(before, after, clones=[evals])

    assert found.learnt_from == "trees"
    assert "-read me\n+second\n" in found.patch
    assert not (tmp_path / "ran").exists()


def test_a_persons_settings_change_nothing(evals, git, carry, tmp_path, monkeypatch):
    before = carry(evals)
    change_everything(evals, git)
    after = carry(evals)
    plain = between(before, after)
    settings = tmp_path / "settings"
    settings.write_text(
        f"[core]\n\tattributesFile = {tmp_path}/attributes\n\tquotePath = true\n"
        "[diff]\n\tnoprefix = true\n\tmnemonicPrefix = true\n\trenames = false\n\talgorithm = patience\n\tcontext = 9\n"
        "\tinterHunkContext = 50\n\tsubmodule = log\n\torderFile = /dev/null\n[color]\n\tui = always\n"
        "[apply]\n\twhitespace = fix\n[init]\n\tdefaultObjectFormat = sha256\n"
    )
    (tmp_path / "attributes").write_text("* -diff\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_DIFF_OPTS", "--unified=9")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")

    assert between(before, after) == plain
