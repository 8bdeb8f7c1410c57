"""What a run would do beyond its workspace is told before anybody agrees: files run in place, hosts, named workspaces."""

from __future__ import annotations

import json
import shutil

import pytest

from reprokit.bundle.values import SecretSlot
from reprokit.reproduce.inputs.mapping import Mapping
from reprokit.reproduce.plan.reaching_out import hosts, run_in_place
from reprokit.reproduce.plan.values import PlannedSecret
from reprokit.rerun.parts import Place
from reprokit.rerun.values import Rerun

PYTHON = Place("environment", "bin/python")
BESIDE = """\
import json
import os

folder = os.path.dirname(os.path.abspath(__file__))
rows = [{"id": 0, "prompt": "?", "target": "1", "response": "1", "scores": {"exact_match": 1.0}}]
for place in (".", folder):
    with open(os.path.join(place, "predictions.jsonl"), "w") as file:
        file.writelines(json.dumps(row) + "\\n" for row in rows)
    with open(os.path.join(place, "metrics.json"), "w") as file:
        json.dump({"sums": {"exact_match": 1.0}}, file)
"""


def a_rerun(*words):
    return Rerun(argv=tuple(word if isinstance(word, tuple) else (word,) for word in words))


@pytest.fixture
def beside(reprokit, tmp_path):
    """Capture a script that lies in no checkout and writes beside itself; gives its folder."""
    folder = tmp_path / "loose"
    folder.mkdir()
    (folder / "ev.py").write_text(BESIDE)
    reprokit("capture", *reprokit.files, "--", "python", "ev.py", directory=folder)
    return folder


@pytest.mark.parametrize(
    "words",
    [
        (PYTHON, "/home/ada/ev.py"),
        (PYTHON, "-u", "-X", "dev", "/home/ada/ev.py", "--data", "/home/ada/data.json"),
        ("torchrun", "--nproc-per-node", "2", "/home/ada/ev.py"),
        ("bash", "-x", "/home/ada/ev.sh"),
        ("/home/ada/ev.sh", "/home/ada/data.json"),
        ("env", "A=1", "/home/ada/ev.sh"),
    ],
)
def test_a_file_that_is_run_where_it_lies_is_named(words):
    (told,) = run_in_place(a_rerun(*words), [])

    assert "`/home/ada/ev." in told
    assert "`--map /home/ada=COPY`" in told


@pytest.mark.parametrize(
    "words",
    [
        (PYTHON, Place("source", "ev.py"), "--data", "/home/ada/data.json"),
        (PYTHON, "-m", "mine", "/home/ada/data.json"),
        (PYTHON, "-c", "print()", "/home/ada/data.json"),
        ("bash", "-c", "/home/ada/ev.sh"),
        ("/usr/bin/sort", "/home/ada/data.json"),
        ("/home/ada/miniconda/bin/python3.11", "-m", "mine"),
    ],
)
def test_files_that_are_read_and_programs_of_the_system_are_not(words):
    assert list(run_in_place(a_rerun(*words), [])) == []


def test_a_copy_that_the_user_names_is_no_doubt_and_the_same_place_is_one():
    assert list(run_in_place(a_rerun(PYTHON, "/mnt/ev.py"), [Mapping(old="/home/ada", new="/mnt")])) == []
    assert len(list(run_in_place(a_rerun(PYTHON, "/mnt/ev.py"), [Mapping(old="/mnt", new="/mnt")]))) == 1


def test_a_host_that_only_the_bundle_names_is_told_with_the_secrets_that_go_along():
    variables = [
        ("OPENAI_BASE_URL", ("https://evil.example:8443/v1",)),
        ("HF_ENDPOINT", ("https://", SecretSlot(secret="HF_ENDPOINT"), "@hub.example")),
        ("OPENAI_API_BASE", ("http://localhost:8000/v1",)),
        ("ANTHROPIC_BASE_URL", ("https://proxy.example/a",)),
        ("HF_HUB_OFFLINE", ("1",)),
    ]
    secrets = [
        PlannedSecret(name="OPENAI_API_KEY", needed=False, here=True),
        PlannedSecret(name="OTHER_KEY", needed=False, here=False),
    ]

    told = list(hosts(variables, {"ANTHROPIC_BASE_URL": "https://proxy.example/b"}, secrets, {"home"}))

    along = ", and the run has your `OPENAI_API_KEY` and what your own home holds"
    assert told == [
        f"`OPENAI_BASE_URL` sends requests to `evil.example:8443`, which only the bundle names{along}",
        f"`HF_ENDPOINT` sends requests to `hub.example`, which only the bundle names{along}",
    ]


def test_without_secrets_nothing_is_said_of_them():
    (told,) = hosts([("HF_ENDPOINT", ("hub.example",))], {}, [], ())

    assert told == "`HF_ENDPOINT` sends requests to `hub.example`, which only the bundle names"


def test_a_script_without_a_checkout_is_told_and_its_own_place_is_no_delta(reprokit, beside):
    plan = reprokit("reproduce", "latest", "--plan", "--env", "current").stdout
    result = reprokit.json("reproduce", "latest", "--yes", "--env", "current")

    assert f"`{beside / 'ev.py'}` is run where it lies" in plan
    assert result["verdict"] == "identical samples"
    assert result["deltas"] == []


def test_a_copy_of_its_folder_is_run_in_its_stead(reprokit, beside, tmp_path):
    copy = shutil.copytree(beside, tmp_path / "copy")
    for folder in (beside, copy):
        (folder / "metrics.json").write_text("mine")

    result = reprokit.json("reproduce", "latest", "--yes", "--env", "current", "--map", f"{beside}={copy}")

    assert (result["verdict"], result["deltas"]) == ("identical samples", [])
    assert (beside / "metrics.json").read_text() == "mine"
    assert "sums" in json.loads((copy / "metrics.json").read_text())


def test_a_plan_names_the_workspace_that_was_asked_for(reprokit, captured, tmp_path):
    plan = reprokit("reproduce", captured, "--plan", "--env", "current", "--workspace", tmp_path / "new").stdout

    assert f"{tmp_path / 'new'}, and a bundle in the archive" in plan
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("how", ["--plan", "--yes"])
def test_a_workspace_that_is_not_empty_is_refused_and_not_called_the_run_s(reprokit, captured, tmp_path, how):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/mine").touch()

    refused = reprokit("reproduce", captured, how, "--env", "current", "--workspace", tmp_path / "taken", check=2)

    assert "is not empty" in refused.stderr
    assert "left for you" not in refused.stderr


@pytest.mark.parametrize("how", ["--plan", "--yes"])
def test_a_workspace_in_an_archive_is_refused_also_through_a_link(reprokit, captured, tmp_path, how):
    (tmp_path / "link").symlink_to(reprokit.archive / "bundles")
    before = sorted(reprokit.archive.rglob("*"))

    for place in (reprokit.archive, reprokit.archive / "a/b", tmp_path / "link/new"):
        refused = reprokit("reproduce", captured, how, "--env", "current", "--workspace", place, check=2)
        assert f"is inside of the archive `{reprokit.archive}`" in refused.stderr
        assert "--workspace /" in refused.stderr

    assert sorted(reprokit.archive.rglob("*")) == before


@pytest.mark.parametrize(
    "words",
    [
        ("--tier", "verify"),
        ("--tier", "smoke", "--samples", "3"),
        ("--repeats", "2"),
        ("--margin", "acc=0.1"),
        ("--env", "current"),
        ("--workspace", "new"),
        ("--label", "tag"),
        ("--map", "/a=/b"),
        ("--json",),
    ],
)
def test_what_a_script_does_not_heed_is_refused_beside_it(reprokit, captured, words):
    refused = reprokit("reproduce", captured, "--script", *words, check=2)

    assert words[0] in refused.stderr
    assert "hint: leave out" in refused.stderr
    assert refused.stdout == ""


def test_a_script_is_written_when_its_own_tier_is_named(reprokit, captured):
    assert reprokit("reproduce", captured, "--script", "--tier", "rerun").stdout.startswith("#!")
