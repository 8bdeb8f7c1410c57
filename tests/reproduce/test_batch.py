"""Many bundles, one after the other: none stops the others, and a batch that was cut short goes on where it was."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest


def until(happened, seconds=60):
    """Wait for something to happen."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def archive_with_tags(tmp_path_factory, move_in, make_evaluation):
    """Capture three runs with a tag, the second of which cannot run again, and one without; their checkout is gone."""
    folder = tmp_path_factory.mktemp("tagged")
    reprokit, evaluation = move_in(folder / "home"), make_evaluation(folder / "my-evals")
    found = []
    for seed, (name, tag) in enumerate([("one", "paper"), ("two", "paper"), ("three", "paper"), ("four", "other")]):
        reprokit(
            "capture", *reprokit.files, "--name", name, "--tag", tag, "--", "python", "evaluate.py", str(seed),
            directory=evaluation,
        )  # fmt: skip
        found.append(reprokit.json("show", "latest")["id"])
    (patch,) = (reprokit.archive / "bundles").glob(f"*/{found[1]}/data/source/*.patch")
    patch.chmod(0o644)
    patch.write_bytes(b"damaged")
    shutil.rmtree(evaluation)
    return reprokit.archive, found


@pytest.fixture
def tagged(reprokit, move_in, archive_with_tags):
    """Give the ids of the four runs, in an archive of the test's own."""
    archive, found = archive_with_tags
    move_in(reprokit.home, archive)
    return found


def test_every_bundle_of_a_tag_is_reproduced_and_one_that_fails_stops_none(reprokit, tagged):
    done = reprokit.json("reproduce", "--all", "--tag", "paper", "--yes", "--env", "current", check=1)

    assert [each["bundle"] for each in done["attempts"]] == tagged[:3]
    assert [each["verdict"] for each in done["attempts"]] == ["identical samples", None, "identical samples"]
    assert [each["exit_code"] for each in done["attempts"]] == [0, 12, 0]
    assert "is not what was captured" in done["attempts"][1]["reason"]
    assert not list((reprokit.archive / ".reprokit/reproducing").iterdir())


def test_a_batch_that_is_stopped_goes_on_where_it_was(reprokit, evaluation, tmp_path):
    ran, go_on = tmp_path / "ran", tmp_path / "go on"
    source = (evaluation / "evaluate.py").read_text()
    waiting = f"""
import os, pathlib, time
if os.path.basename(os.getcwd()) == "source":
    with open({str(ran)!r}, "a") as file:
        file.write(sys.argv[1])
    while sys.argv[1] == "2" and not pathlib.Path({str(go_on)!r}).exists():
        time.sleep(0.05)
"""
    (evaluation / "evaluate.py").write_text(source.replace("seed = int", waiting + "seed = int", 1))
    for seed in "123":
        reprokit(
            "capture", *reprokit.files, "--tag", "paper", "--", "python", "evaluate.py", seed, directory=evaluation
        )
    command = ("reproduce", "--all", "--tag", "paper", "--yes", "--env", "current")

    stopped = subprocess.Popen(
        [sys.executable, "-m", "reprokit", *command],
        env=reprokit.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until(lambda: ran.exists() and ran.read_text() == "12")
    os.killpg(stopped.pid, signal.SIGINT)
    status = stopped.wait(60)
    began = ran.read_text()
    go_on.touch()
    resumed = reprokit.json(*command)

    assert status == 130
    assert began == "12", "what comes after the stopped one is not begun"
    assert ran.read_text() == "1223", "what was done is not done again"
    assert [each["verdict"] for each in resumed["attempts"]] == ["identical samples"] * 3


def test_a_batch_that_is_asked_for_otherwise_is_another_one(reprokit, tagged):
    batch = ("reproduce", "--all", "--tag", "paper", "--tier", "verify")
    place = reprokit.archive / ".reprokit/reproducing"
    place.mkdir(parents=True)
    begun = {"bundle": tagged[0], "exit_code": 0, "verdict": "identical bytes", "reason": "said before"}

    def plant():
        """Leave what another call would have left: it is known by the name of the file that a stopped batch has."""
        from reprokit.archive.layout import Archive
        from reprokit.cli.reproducing import _manner, call_of
        from reprokit.reproduce.batch import open_batch

        options = {
            "archive": None, "workspace": None, "yes": False, "signature": None, "only_plan": False, "as_json": True,
            "margins": (), "tier": "verify", "mode": "rebuild", "sources": (), "without": (), "mapped": (),
            "shared": (), "allow_sdist": False, "nearest": False, "samples": None, "seed": None, "repeats": 1,
            "labels": (),
        }  # fmt: skip
        question = ["paper", "", *_manner(call_of(options).terms)]
        open_batch(Archive(root=reprokit.archive), question, afresh=True).place.write_text(
            json.dumps(begun) + "\n{ cut"
        )

    plant()
    resumed = reprokit.json(*batch, check=1)
    plant()
    otherwise = reprokit.json(*batch, "--share", "home", check=1)
    anew = reprokit.json(*batch, "--again", check=1)

    assert resumed["attempts"][0]["reason"] == "said before"
    assert otherwise["attempts"][0]["reason"] != "said before"
    assert anew["attempts"][0]["reason"] != "said before"


def test_a_tag_that_no_bundle_has_is_no_success(reprokit, tagged):
    assert reprokit("reproduce", "--all", "--tag", "papre", "--yes", check=10).stdout == ""


def test_reproductions_are_not_reproduced_in_turn(reprokit, tagged):
    reprokit("reproduce", "one", "--yes", "--env", "current", "--label", "other")

    done = reprokit.json("reproduce", "--all", "--tag", "other", "--tier", "verify")

    assert [each["bundle"] for each in done["attempts"]] == [tagged[3]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a bundle, or use `--all`"),
        (("x", "--all"), "name a bundle, or use `--all`"),
        (("x", "--tag", "paper"), "`--label`"),
        (("x", "--again"), "`--all`"),
        (("--all", "--workspace", "w"), "for one bundle"),
        (("x", "--repeats", "3", "--tier", "rescore"), "runs nothing"),
        (("x", "--map", "here=there"), "no mapping"),
        (("x", "--source", "/not/there"), "neither a folder nor"),
        (("x", "--margin", "-1"), "no margin"),
    ],
)
def test_a_call_that_makes_no_sense_says_what_would(reprokit, arguments, said):
    assert said in reprokit("reproduce", *arguments, check=2).stderr
