"""What came out is no better than the truth: other questions, old answers, other code and links are told or refused."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from reprokit.errors import InputMissingError
from reprokit.reproduce import setting_up
from reprokit.reproduce.workspace import Workspace

EVALUATE = """\
import json
import os
import sys
from pathlib import Path

again = os.path.basename(os.getcwd()) == "source"
rows = []
for number in range(6):
    rows.append({"id": number, "prompt": f"{number}?", "target": "1", "response": "1", "scores": {"exact_match": 1.0}})
BODY
Path("predictions.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
score = sum(row["scores"]["exact_match"] for row in rows) / len(rows)
Path("metrics.json").write_text(json.dumps({"sums": {"exact_match": score}}))
"""


@pytest.fixture
def run(reprokit, tmp_path):
    """Give a function that captures an evaluation with a body of its own, and gives its id."""
    folder = tmp_path / "evals"
    folder.mkdir()
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.invalid"]

    def capture(body, *arguments, files=None, **variables):
        (folder / "evaluate.py").write_text(EVALUATE.replace("BODY", body))
        for name, text in (files or {}).items():
            (folder / name).write_text(text)
        for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
            subprocess.run([*git, *words], cwd=folder, check=True, capture_output=True)
        reprokit("capture", *reprokit.files, "--", "python", "evaluate.py", *arguments, directory=folder, **variables)
        return reprokit.json("show", "latest")["id"]

    return capture


def again(reprokit, bundle, *arguments, check=0, **variables):
    words = ("reproduce", bundle, "--yes", "--env", "current", *arguments, "--json")
    done = reprokit(*words, check=check, **variables)
    return json.loads(done.stdout) if check in {0, 1} else done


@pytest.mark.parametrize("what", ["prompt", "target"])
def test_other_questions_under_equal_answers_are_not_identical_samples(reprokit, run, what):
    bundle = run(f"if again:\n    for row in rows: row[{what!r}] += ' '")

    result = again(reprokit, bundle)

    assert result["verdict"] == "identical scores"
    assert what in result["reason"]


def test_an_evaluation_that_asks_fewer_questions_is_not_equivalent(reprokit, run):
    result = again(reprokit, run("if again: rows = rows[:4]"), "--margin", "0.5", check=1)

    assert result["verdict"] == "different"


def test_every_repeat_begins_as_if_it_were_the_first(reprokit, run):
    body = """
kept = Path("cache.json")
if kept.exists(): sys.exit("an earlier repeat left its answers")
kept.write_text("{}")
"""
    bundle = run(body, files={".gitignore": "cache.json\n"})

    assert again(reprokit, bundle, "--repeats", "3")["verdict"] == "identical samples"


def test_a_model_that_is_not_deterministic_shows_in_the_flips(reprokit, run):
    body = """
if again:
    for row in rows:
        row["response"] = os.urandom(8).hex()
        row["scores"]["exact_match"] = float(os.urandom(1)[0] % 2)
"""
    result = again(reprokit, run(body), "--repeats", "4", check=1)

    (rate,) = [each for each in result["flips"] if each["metric"] is None]
    assert rate["between"] == rate["from_original"] == 1.0
    assert len(result["runs"]) == len({each["bundle"] for each in result["runs"]}) == 4


def test_results_that_would_be_written_through_a_link_are_refused_and_nothing_is_written(reprokit, run, tmp_path):
    outside = tmp_path / "results"
    outside.mkdir()
    (tmp_path / "evals/out").symlink_to(outside)
    run("sys.path and Path('out/metrics.json').write_text('{}')")
    reprokit(
        "capture", "--results", "out/metrics.json", "--samples", "predictions.jsonl", "--", "python", "evaluate.py",
        directory=tmp_path / "evals",
    )  # fmt: skip
    (outside / "metrics.json").write_text("mine")

    refused = again(reprokit, "latest", check=13)

    assert "outside of the workspace" in refused.stderr
    assert (outside / "metrics.json").read_text() == "mine"


def test_nothing_is_run_in_a_folder_that_a_link_leads_to_outside(tmp_path):
    """The record of an attacker says that it ran there; the folder holds what he wants to be run or overwritten."""
    (tmp_path / "victim").mkdir()
    workspace = Workspace(root=tmp_path / "workspace")
    (workspace.source / "real").mkdir(parents=True)
    (workspace.source / "sub").symlink_to(tmp_path / "victim")
    (workspace.source / "near").symlink_to("real")

    with pytest.raises(InputMissingError, match="a link that leads out of the workspace"):
        setting_up._require_inside(workspace.source / "sub", workspace)
    for each in ("", "real", "near"):
        setting_up._require_inside(workspace.source / each, workspace)


def test_a_link_out_of_a_checkout_is_told(reprokit, run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "evals/data").symlink_to(tmp_path / "data")

    result = again(reprokit, run("pass"))

    assert any("`source/data` is a link to" in doubt for doubt in result["not_guaranteed"])


def test_a_secret_in_the_command_is_handed_over_and_kept_out_of_the_new_bundle(reprokit, run):
    value = "Zx81-qq-7Hn2kPw9sLmQ"
    bundle = run("print(sys.argv[1:])", "--api-key", value)
    (slot,) = [
        each["name"]
        for each in json.loads(reprokit("reproduce", bundle, "--plan", "--json", check=21).stdout)["secrets"]
    ]

    missing = again(reprokit, bundle, check=21)
    result = again(reprokit, bundle, **{slot: value})

    assert f"the secret `{slot}`" in missing.stderr
    assert result["verdict"] == "identical samples"
    holding = [path for path in reprokit.archive.rglob("*") if path.is_file() and value.encode() in path.read_bytes()]
    assert holding == []


def test_secrets_of_the_user_that_the_record_does_not_name_are_not_handed_over(reprokit, run, tmp_path):
    seen = tmp_path / "seen"
    bundle = run(f"if again: Path({str(seen)!r}).write_text(json.dumps(dict(os.environ)))")

    again(reprokit, bundle, AWS_SECRET_ACCESS_KEY="mine", MY_TOKEN="mine", LANG="C.UTF-8")

    given = json.loads(seen.read_text())
    assert "mine" not in given.values()
    assert given["HOME"].endswith("/home")
    assert not given["HOME"].startswith(str(reprokit.home))
    assert given["LANG"] == "C.UTF-8"


def test_home_is_shared_only_when_asked(reprokit, run, tmp_path):
    seen = tmp_path / "seen"
    bundle = run(f"if again: Path({str(seen)!r}).write_text(os.environ['HOME'])")

    result = again(reprokit, bundle, "--share", "home")

    assert seen.read_text() == str(reprokit.home)
    assert "the run saw your own home" in result["not_guaranteed"]
    lines = [line for path in reprokit.archive.glob("ledger/*/*reproduced*") for line in path.read_text().splitlines()]
    (event,) = map(json.loads, lines)
    assert event["detail"]["verdict"] == "identical samples"
    assert "the run saw your own home" in event["detail"]["doubts"]


def test_a_run_that_writes_nothing_is_not_comparable(reprokit, run):
    result = again(reprokit, run("if again: sys.exit(0)"), check=1)

    assert result["verdict"] == "not comparable"


def test_code_from_outside_of_every_checkout_is_told_in_the_plan(reprokit, run, tmp_path):
    library = tmp_path / "library"
    library.mkdir()
    (library / "beside.py").write_text("")
    bundle = run("import beside", PYTHONPATH=str(library))
    shutil.move(library, tmp_path / "gone")
    (tmp_path / "evals/beside.py").write_text("")

    failed = again(reprokit, bundle, check=20)
    plan = reprokit("reproduce", bundle, "--plan").stdout

    assert "exit status 1" in failed.stderr
    assert f"PYTHONPATH, its folder {library}" in plan
    assert "W338" in plan


def test_a_workspace_that_is_named_is_kept_and_holds_everything(reprokit, run, tmp_path):
    workspace = tmp_path / "kept"

    again(reprokit, run("pass"), "--workspace", workspace)

    assert (workspace / "source/predictions.jsonl").exists()
    assert {path.name for path in workspace.iterdir()} >= {"source", "outputs", "home", "tmp", "bundle"}


def test_a_margin_makes_a_small_difference_equivalent_and_that_is_a_success(reprokit, run):
    body = """
rows = [dict(rows[0], id=number, prompt=f"{number}?", scores={"exact_match": float(number % 2)}) for number in range(400)]
if again: rows[0]["scores"]["exact_match"] = 1.0
"""
    bundle = run(body)

    result = again(reprokit, bundle, "--margin", "exact_match=0.05")
    without = again(reprokit, bundle, check=1)

    assert result["verdict"] == "equivalent"
    assert result["detectable"]["margin"] == 0.05
    assert (without["verdict"], "--margin" in without["hint"]) == ("inconclusive", True)


def test_a_damaged_bundle_is_not_even_looked_at_again(reprokit, run):
    bundle = run("pass")
    assert again(reprokit, bundle, "--tier", "verify")["verdict"] == "identical bytes"
    samples = Path(reprokit.json("show", bundle)["path"]) / "data/samples/sums.jsonl"
    samples.chmod(0o644)
    samples.write_bytes(samples.read_bytes() + b"\n")

    for tier in ("verify", "rescore"):
        assert "is not what was captured" in again(reprokit, bundle, "--tier", tier, check=12).stderr


def test_code_of_a_second_checkout_that_is_named_by_a_relative_path_comes_from_its_restored_one(
    reprokit, run, tmp_path
):
    library = tmp_path / "library"
    (library / "inner").mkdir(parents=True)
    (library / "inner/beside.py").write_text("ANSWER = '1'\n")
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.invalid"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], cwd=library, check=True, capture_output=True)
    body = "sys.path.insert(0, sys.argv[1])\nimport beside\nfor row in rows: row['response'] = beside.ANSWER"
    bundle = run(body, "../library/inner")
    shutil.rmtree(library)

    plan = reprokit("reproduce", bundle, "--plan", "--env", "current").stdout

    assert "{sources/library/inner}" in plan
    assert again(reprokit, bundle)["verdict"] == "identical samples"

    left_out = ("--without", "library")
    assert "left out, as you asked" in reprokit("reproduce", bundle, "--plan", "--env", "current", *left_out).stdout
    assert "exit status 1" in again(reprokit, bundle, *left_out, check=20).stderr
    assert "no checkout called `nosuch`" in again(reprokit, bundle, "--without", "nosuch", check=2).stderr


def test_a_signature_by_a_trusted_key_is_consent_and_any_other_is_not(reprokit, run, tmp_path):
    bundle = run("pass")
    manifest = Path(reprokit.json("show", bundle)["path"]) / "manifest-sha256.txt"
    copy = tmp_path / "manifest"
    shutil.copy(manifest, copy)
    for name in ("mine", "other"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
        sign = ["ssh-keygen", "-q", "-Y", "sign", "-n", "reprokit-bundle", "-f", tmp_path / name, copy]
        subprocess.run(sign, check=True, capture_output=True)
        (tmp_path / "manifest.sig").rename(tmp_path / f"{name}.sig")
    folder = reprokit.home / ".ssh"
    folder.mkdir(mode=0o700)
    (folder / "allowed_signers").write_text(f"ada@example.invalid {(tmp_path / 'mine.pub').read_text()}")
    settings = reprokit.home / ".config/reprokit"
    settings.mkdir(parents=True, mode=0o700)
    (settings / "reprokit.toml").write_text('[trust]\nallowed_signers = "~/.ssh/allowed_signers"\n')
    command = ("reproduce", bundle, "--env", "current", "--signature")

    refused = reprokit(*command, tmp_path / "other.sig", check=22)
    done = reprokit(*command, tmp_path / "mine.sig")

    assert "nobody whom you trust" in refused.stderr
    assert done.stdout.startswith("identical samples")
    assert "signed by ada@example.invalid" in done.stderr
