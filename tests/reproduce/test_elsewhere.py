"""A run comes back from its packed bundle alone: on another machine, for another user, with everything else gone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EVALUATE = """\
import json
import sys
from pathlib import Path

import mine

words = Path(sys.argv[1]).read_bytes()
rows = [
    {"id": number, "prompt": str(byte), "target": "x", "response": mine.ANSWER, "scores": {"exact_match": byte % 2}}
    for number, byte in enumerate(words)
]
Path("predictions.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
score = sum(row["scores"]["exact_match"] for row in rows) / len(rows)
Path("metrics.json").write_text(json.dumps({"bytes": {"exact_match": score}}))
"""


def git(folder, *words):
    own = ["-c", "user.name=Ada", "-c", "user.email=ada@example.invalid"]
    subprocess.run(["git", *own, *words], cwd=folder, check=True, capture_output=True)


def dirty(folder):
    """Leave staged, unstaged, untracked and binary changes."""
    git(folder, "init", "-q")
    (folder / "kept").write_text("kept\n")
    (folder / "words.bin").write_bytes(bytes(range(10)))
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "all")
    (folder / "staged").write_text("staged\n")
    git(folder, "add", "staged")
    (folder / "kept").write_text("changed\n")
    (folder / "untracked").write_bytes(b"\0\xff")
    (folder / "words.bin").write_bytes(bytes(range(100, 120)))


@pytest.fixture
def ran(reprokit, tmp_path, make_project):
    """Capture an evaluation whose harness is editable, both checkouts dirty; gives what `show` says of it."""
    evals, harness = tmp_path / "my evals", make_project(tmp_path / "harness")
    evals.mkdir()
    (evals / "evaluate.py").write_text(EVALUATE)
    (harness / ".gitignore").write_text("__pycache__/\n")
    for folder in (evals, harness):
        dirty(folder)
    (harness / "mine.py").write_text("ANSWER = 'x'\n")
    uv = str(Path(sys.executable).with_name("uv"))
    for words in (["venv", "-q", "-p", sys.executable, tmp_path / "venv"], ["pip", "install", "-q", "-e", harness]):
        subprocess.run([uv, *words], env=reprokit.environment(VIRTUAL_ENV=str(tmp_path / "venv")), check=True)
    reprokit(
        "capture", *reprokit.files, "--", tmp_path / "venv/bin/python", "evaluate.py", "words.bin", directory=evals
    )
    return reprokit.json("show", "latest")


@pytest.fixture
def packed(ran, tmp_path, reprokit):
    """Pack the bundle, and lose everything else: checkouts, environment, archive and home."""
    file = tmp_path / "elsewhere/run.zip"
    file.parent.mkdir()
    bundle = Path(ran["path"])
    shutil.make_archive(str(file.with_suffix("")), "zip", bundle.parent, bundle.name)
    for gone in ("my evals", "harness", "venv"):
        shutil.rmtree(tmp_path / gone)
    subprocess.run(["chmod", "-R", "u+w", reprokit.home], check=True)
    shutil.rmtree(reprokit.home)
    reprokit.home.mkdir()
    reprokit("init", reprokit.archive, USER="bob")
    return file


def trees(shown):
    return sorted(source["tree"] for source in shown["record"]["sources"])


def test_it_comes_back_with_identical_samples_and_equal_trees(reprokit, ran, packed):
    plan = reprokit("reproduce", packed, "--plan", USER="bob").stdout
    result = reprokit.json("reproduce", packed, "--yes")
    again = reprokit.json("show", result["reproduced_as"])

    assert "harness (editable install `mine`" in plan
    assert "editable mine" in plan
    assert result["verdict"] == "identical samples"
    assert result["deltas"] == []
    assert trees(again) == trees(ran)
    assert len(trees(again)) == 2
    assert again["record"]["reproduces"] == ran["identity"]


def test_its_own_script_brings_it_back_without_reprokit(reprokit, ran, packed, tmp_path):
    shutil.unpack_archive(packed, tmp_path / "alone")
    (bundle,) = (tmp_path / "alone").iterdir()
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    home = tmp_path / "bob"
    home.mkdir()
    plain = {
        "PATH": f"{tools}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "PYTHON": f"{sys.base_prefix}/bin/python3.{sys.version_info.minor}",
    }

    done = subprocess.run(
        ["bash", bundle / "data/reproduce.sh", tmp_path / "again"],
        env=plain,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    for name in ("predictions.jsonl", "metrics.json"):
        assert (tmp_path / "again/source" / name).read_bytes() == (bundle / "data/harness" / name).read_bytes()


def test_a_smoke_test_of_a_program_of_one_s_own_says_why_there_is_none(reprokit, ran):
    done = reprokit("reproduce", ran["id"], "--tier", "smoke", "--yes", check=21)

    assert "a choice of samples cannot be evaluated" in done.stderr


def test_rescoring_runs_nothing_and_asks_nobody(reprokit, ran):
    result = reprokit.json("reproduce", ran["id"], "--tier", "rescore")

    assert (result["verdict"], result["runs"]) == ("identical scores", [])
    assert [row["how"] for row in result["rescored"]["rows"]] == ["sample scores"]


def test_several_repeats_are_bundles_of_their_own_and_tell_their_flips(reprokit, ran):
    result = reprokit.json("reproduce", ran["id"], "--yes", "--repeats", "2")

    assert result["verdict"] == "identical samples"
    assert [run["verdict"] for run in result["runs"]] == ["identical samples"] * 2
    assert {rate["between"] for rate in result["flips"]} == {0.0}
    assert all(spread["within"] for spread in result["spreads"])


def test_an_ignored_input_is_taken_from_where_the_user_says_it_is(reprokit, ran, tmp_path):
    evals = tmp_path / "my evals"
    (evals / ".gitignore").write_text("*.secret\n")
    (evals / "words.secret").write_bytes(bytes(range(30)))
    python = tmp_path / "venv/bin/python"
    reprokit("capture", *reprokit.files, "--", python, "evaluate.py", "words.secret", directory=evals)
    here = tmp_path / "disk"
    here.mkdir()
    (evals / "words.secret").rename(here / "words.secret")

    refused = reprokit("reproduce", "latest", "--yes", check=21)
    result = reprokit.json("reproduce", "latest", "--yes", "--map", f"{evals}={here}")
    (here / "words.secret").write_bytes(bytes(30))
    changed = reprokit("reproduce", result["original"], "--yes", "--map", f"{evals}={here}", check=21)

    assert "words.secret` is not on this machine" in refused.stderr
    assert result["verdict"] == "identical samples"
    assert "with other content than the run read" in changed.stderr


def test_nothing_that_a_hostile_record_says_is_run_by_a_shell(reprokit, make_bundle, record, tmp_path):
    import msgspec

    canary = tmp_path / "canary"
    argv = ["true", f"$(touch {canary})", f"; touch {canary}", f"`touch {canary}`", f"--x=|touch {canary}"]
    hostile = record()
    hostile = msgspec.structs.replace(
        hostile,
        invocation=msgspec.structs.replace(
            hostile.invocation, argv=argv, program="/bin/true", program_in="system", outputs=[]
        ),
    )
    bundle = make_bundle(record=hostile)

    done = reprokit("reproduce", bundle.path, "--yes", check=None)
    script = reprokit("reproduce", bundle.path, "--script", check=None).stdout
    (tmp_path / "s.sh").write_text(script)
    subprocess.run(
        ["bash", tmp_path / "s.sh", tmp_path / "w"], env={"PATH": os.environ["PATH"]}, check=False, capture_output=True
    )

    assert done.returncode in {1, 21}
    assert not canary.exists()


def test_json_tells_a_plan_that_a_program_can_read(reprokit, ran):
    plan = json.loads(reprokit("reproduce", ran["id"], "--plan", "--json").stdout)

    assert plan["environment"]["editable"] == ["mine"]
    assert {checkout["name"]: checkout["place"] for checkout in plan["checkouts"]} == {
        "my-evals": "source",
        "harness": "sources/harness",
    }
    assert (plan["missing"], plan["obstacles"]) == ([], [])
