"""A run of which only outputs are left: its command is worked out, and the rest is the user's word."""

from __future__ import annotations

import shutil
import subprocess

import pytest


@pytest.fixture
def adopted(reprokit, tmp_path):
    """Adopt a recorded run of lm-eval; gives its id."""
    shutil.copytree("tests/recorded/lm_eval/0.4.13/dummy_in_git", tmp_path / "outputs")
    reprokit("capture", "--from", tmp_path / "outputs")
    return reprokit.json("show", "latest")["id"]


def test_the_plan_says_what_was_worked_out_and_what_is_lost(reprokit, adopted):
    plan = reprokit.json("reproduce", adopted, "--plan", check=21)

    assert plan["command_from"] == "outputs"
    assert plan["command"][:1] == ["lm_eval"]
    assert any("include_path" in each for each in plan["lost"])
    assert any("is not on PATH" in each for each in plan["missing"])


def test_a_clone_that_the_user_names_stands_in_at_its_commit_without_its_changes(reprokit, adopted, tmp_path):
    clone = tmp_path / "my clone"
    clone.mkdir()
    (clone / "file").write_text("committed")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        own = ["-c", "user.name=Ada", "-c", "user.email=ada@example.invalid"]
        subprocess.run(["git", *own, *words], cwd=clone, check=True, capture_output=True)
    (clone / "file").write_text("changed")

    (checkout,) = reprokit.json("reproduce", adopted, "--plan", "--source", clone, check=21)["checkouts"]
    text = reprokit("reproduce", adopted, "--plan", check=21).stdout

    assert (checkout["place"], checkout["name"]) == ("source", "my clone")
    assert "without its uncommitted changes" in checkout["comes_from"]
    assert "`--source DIR` names a clone to run in" in text


def test_what_is_no_clone_cannot_stand_in(reprokit, adopted, tmp_path):
    (tmp_path / "empty").mkdir()

    assert "has no commit" in reprokit("reproduce", adopted, "--plan", "--source", tmp_path / "empty", check=2).stderr
