"""Many bundles, one after the other: none stops the others, and a batch that was cut short goes on where it was."""

from __future__ import annotations

import json
import shutil

import pytest


@pytest.fixture
def tagged(reprokit, evaluation):
    """Capture three runs with a tag, the second of which cannot run again, and one without."""
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
    return found


def test_every_bundle_of_a_tag_is_reproduced_and_one_that_fails_stops_none(reprokit, tagged, evaluation):
    shutil.rmtree(evaluation)

    done = reprokit.json("reproduce", "--all", "--tag", "paper", "--yes", "--env", "current", check=1)

    assert [each["bundle"] for each in done["attempts"]] == tagged[:3]
    assert [each["verdict"] for each in done["attempts"]] == ["identical samples", None, "identical samples"]
    assert [each["exit_code"] for each in done["attempts"]] == [0, 12, 0]
    assert "is not what was captured" in done["attempts"][1]["reason"]
    assert not list((reprokit.archive / ".reprokit/reproducing").iterdir())


def test_a_batch_that_was_cut_short_goes_on_where_it_was(reprokit, tagged):
    place = reprokit.archive / ".reprokit/reproducing"
    reprokit("reproduce", "--all", "--tag", "paper", "--tier", "verify", check=1)
    question = reprokit.json("list", "--tag", "paper")
    begun = {"bundle": question[0]["id"], "exit_code": 0, "verdict": "identical bytes", "reason": "said before"}

    def cut_short():
        # The name of the file stands for the question: learn it from a batch that is stopped by a full queue of work.
        from reprokit.archive.layout import Archive
        from reprokit.reproduce.batch import open_batch

        batch = open_batch(
            Archive(root=reprokit.archive), ["paper", "", "verify", "rebuild", "0", "50", "1"], afresh=True
        )
        place.mkdir(exist_ok=True)
        batch.place.write_text(json.dumps(begun) + "\n{ cut off")

    cut_short()
    resumed = reprokit.json("reproduce", "--all", "--tag", "paper", "--tier", "verify", check=1)
    cut_short()
    anew = reprokit.json("reproduce", "--all", "--tag", "paper", "--tier", "verify", "--again", check=1)

    assert resumed["attempts"][0]["reason"] == "said before"
    assert anew["attempts"][0]["reason"] != "said before"
    assert [each["verdict"] for each in anew["attempts"]] == ["identical bytes", None, "identical bytes"]


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
