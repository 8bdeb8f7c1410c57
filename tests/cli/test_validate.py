"""`reprokit validate` is silent about nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def folder(reprokit, captured) -> Path:
    return Path(reprokit.json("show", captured)["path"])


def codes(results) -> dict[str, list[str]]:
    return {each["bundle"]: sorted({found["code"] for found in each["findings"]}) for each in results}


def test_all_is_whole_when_all_is(reprokit, captured, folder):
    assert reprokit.json("validate", "--all") == [{"bundle": captured, "path": str(folder), "findings": []}]


def test_a_linked_bundle_folder_is_not_whole(reprokit, captured, folder, tmp_path):
    folder.rename(tmp_path / captured)
    folder.symlink_to(tmp_path / captured)

    for reference in (captured, folder):
        assert codes(reprokit.json("validate", reference, check=12)) == {captured: ["E105"]}
    done = reprokit("validate", "--all", check=12)
    assert f"{captured}: whole" not in done.stdout
    assert "E105" in done.stdout


def test_strays_are_findings(reprokit, captured, folder):
    (folder.parent / "mine").mkdir()
    shutil.copytree(folder, folder.parents[1] / "2020-01" / captured)

    results = reprokit.json("validate", "--all", check=12)

    archive = reprokit.archive
    assert [(each["path"], [found["code"] for found in each["findings"]]) for each in results] == [
        (str(folder), []),
        (str(archive / "bundles/2020-01" / captured), ["E118"]),
        (str(folder.parent / "mine"), ["E118"]),
    ]


def test_absent_bundles_are_named_and_what_git_holds_of_them_compared(reprokit, captured, folder):
    shutil.rmtree(folder)

    done = reprokit("validate", "--all")
    assert (done.stdout, done.stderr) == ("", f"not here: {captured}\n")
    assert reprokit.json("validate", "--all")[0]["absent"] is True

    folder.with_name(f"{captured}.dvc").write_text("outs: []\n")
    assert codes(reprokit.json("validate", "--all", check=12)) == {captured: ["E107"]}


def test_a_bundle_that_cannot_be_checked_does_not_end_the_check_of_the_rest(reprokit, captured, folder):
    newer = captured.replace("script", "aaa")
    shutil.copytree(folder, folder.with_name(newer))
    info = folder.with_name(newer) / "bag-info.txt"
    info.chmod(0o644)
    info.write_text(info.read_text().replace("Reprokit-Format: 1", "Reprokit-Format: 999"))

    results = reprokit.json("validate", "--all", check=11)
    text = reprokit("validate", "--all", check=11).stdout

    assert [each["bundle"] for each in results] == [newer, captured]
    assert "has format 999" in results[0]["error"]
    assert f"{newer}: not checked to the end: `{newer}` has format 999" in text
    assert f"{newer}: whole" not in text
    assert f"{captured}: whole" in text


def test_blank_and_doubled_labels_stay_whole(reprokit, evaluation):
    labels = ("--note", " a  b ", "--tag", "a", "--tag", "a", "--name", "x\udcff")
    reprokit("capture", *reprokit.files, *labels, "--", "python", "evaluate.py", directory=evaluation)

    assert reprokit("validate", "latest").stdout.endswith(": whole\n")
