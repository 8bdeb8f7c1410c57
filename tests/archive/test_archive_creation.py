"""Making an archive, and adopting a repository that is there."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reprokit.archive import creation, registration
from reprokit.archive.layout import Archive
from reprokit.archive.settings import is_archive
from reprokit.errors import ReprokitError, UsageError


def test_a_new_archive_is_a_clean_repository_with_one_commit(archive, git):
    assert is_archive(archive.root)
    assert git(archive.root, "status", "--porcelain") == ""
    assert git(archive.root, "rev-list", "--count", "HEAD") == "1\n"


def test_making_an_archive_again_changes_nothing(archive, git, snapshot):
    before = snapshot(archive.root)

    creation.create(archive.root)

    assert snapshot(archive.root) == before


def test_payload_is_ignored_by_git_and_pointers_are_not(archive, git):
    for bundle_id in ("20261123T031547Z-lm_eval-x-1f3a9c20", "undated-script-x-1f3a9c20"):
        archive.payload(bundle_id).mkdir(parents=True)
        (archive.payload(bundle_id) / "bagit.txt").write_text("x")
        archive.pointer(bundle_id).write_text("x")

    assert git(archive.root, "status", "--porcelain", "-uall").splitlines() == [
        "?? bundles/2026-11/20261123T031547Z-lm_eval-x-1f3a9c20.dvc",
        "?? bundles/undated/undated-script-x-1f3a9c20.dvc",
    ]


def test_an_interrupted_making_is_completed(archive, git, tmp_path):
    (archive.root / "reprokit.toml").unlink()
    git(archive.root, "update-ref", "-d", "HEAD")
    git(archive.root, "rm", "-rq", "--cached", ".")

    creation.create(archive.root)

    assert git(archive.root, "status", "--porcelain") == ""
    assert "reprokit.toml" in git(archive.root, "ls-files")


def test_many_processes_may_make_the_same_archive_at_once(tmp_path, git):
    code = "import sys, pathlib; from reprokit.archive import creation; creation.create(pathlib.Path(sys.argv[1]))"
    root = tmp_path / "shared" / "archive"

    makers = [subprocess.Popen([sys.executable, "-c", code, str(root)]) for _ in range(5)]

    assert [maker.wait() for maker in makers] == [0] * 5
    assert git(root, "rev-list", "--count", "HEAD") == "1\n"


def test_adopting_a_repository_touches_nothing_and_leaves_staged_work_staged(tmp_path, git, snapshot):
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q")
    for name, text in {"README.md": "mine\n", ".gitignore": "*.dvc\n", "code.py": "1\n"}.items():
        (root / name).write_text(text)
    git(root, "add", "README.md", ".gitignore", "code.py")
    git(root, "commit", "-qm", "first")
    (root / "staged.py").write_text("2\n")
    git(root, "add", "staged.py")
    (root / "code.py").write_text("3\n")
    mine = {name: data for name, data in snapshot(root).items() if not name.startswith(".git/")}

    archive = creation.create(root)

    assert is_archive(root)
    assert {name: data for name, data in snapshot(root).items() if name in mine} == mine
    assert git(root, "status", "--porcelain") == " M code.py\nA  staged.py\n"
    committed = set(git(root, "show", "--name-only", "--format=", "HEAD").split())
    assert committed == set(creation.FILES) - {"README.md"}
    assert archive == Archive(root)


def test_an_adopted_repository_is_captured_into_beside_staged_work(tmp_path, git, publish):
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q")
    (root / ".gitignore").write_text("*.dvc\n*.json\n")
    (root / "staged.py").write_text("2\n")
    git(root, "add", "staged.py")
    archive = creation.create(root)

    publish(into=archive)
    folding = registration.fold(archive)

    assert folding.left == ()
    assert len(folding.registered) == 1
    assert git(root, "status", "--porcelain") == "A  staged.py\n?? .gitignore\n"
    assert len(git(root, "show", "--name-only", "--format=", "HEAD").split()) == 3


def test_a_dvc_repository_keeps_its_configuration(tmp_path, git):
    root = tmp_path / "project"
    (root / ".dvc").mkdir(parents=True)
    git(root, "init", "-q")
    (root / ".dvc" / "config").write_text("[cache]\n    dir = /somewhere\n")
    (root / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (root / ".dvcignore").write_text("# mine\n")

    creation.create(root)

    assert (root / ".dvc" / "config").read_text() == "[cache]\n    dir = /somewhere\n"
    assert (root / ".dvcignore").read_text() == "# mine\n"


def test_a_folder_with_other_things_in_it_is_refused(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")

    with pytest.raises(UsageError, match="not empty"):
        creation.create(tmp_path / "full")

    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_a_folder_inside_another_work_tree_is_refused_unless_it_is_ignored_there(tmp_path, git):
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")

    with pytest.raises(UsageError, match="lies in the git repository") as caught:
        creation.create(outer / "results" / "archive")
    assert not (outer / "results").exists()
    assert "archive/" in caught.value.hint
    (outer / ".gitignore").write_text("archive/\n")

    assert is_archive(creation.create(outer / "results" / "archive").root)


@pytest.mark.parametrize("text", ['archive = "elsewhere"\n', "[other]\n"])
def test_settings_that_say_something_else_are_refused(tmp_path, git, text):
    git(tmp_path, "init", "-q", "project")
    (tmp_path / "project" / "reprokit.toml").write_text(text)

    with pytest.raises(UsageError) as caught:
        creation.create(tmp_path / "project")

    assert caught.value.hint
    assert sorted(path.name for path in (tmp_path / "project").iterdir()) == [".git", "reprokit.toml"]


def test_a_file_in_the_way_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("x")

    for root in (tmp_path / "file", tmp_path / "file" / "archive"):
        with pytest.raises(UsageError):
            creation.create(root)


def test_a_making_without_git_is_told_and_completed_later(tmp_path, monkeypatch):
    with monkeypatch.context() as without:
        without.setenv("PATH", str(tmp_path))
        with pytest.raises(ReprokitError, match="git"):
            creation.create(tmp_path / "archive")

    assert is_archive(creation.create(tmp_path / "archive").root)
