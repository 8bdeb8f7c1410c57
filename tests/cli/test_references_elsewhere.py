"""A packed bundle and one on a DVC remote are as good as an id for every command that reads one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from reprokit.sync.foreign.opening import open_foreign


@pytest.fixture
def variables(tmp_path) -> dict[str, str]:
    (tmp_path / "temporary").mkdir()
    return {"TMPDIR": str(tmp_path / "temporary")}


@pytest.fixture
def run(reprokit, variables):
    return lambda *arguments, check=0, **more: reprokit(*arguments, check=check, **{**variables, **more})


@pytest.fixture
def nothing_left(variables):
    def check():
        assert list(Path(variables["TMPDIR"]).iterdir()) == []

    return check


@pytest.fixture
def packed(make_bundle, tmp_path) -> tuple[str, Path]:
    """A bundle that lies nowhere but in a packed file: its id, and the file."""
    sealed = make_bundle(tmp_path / "bag")
    subprocess.run(["tar", "--zstd", "-cf", "sent.tar.zst", "bag"], cwd=tmp_path, check=True)
    shutil.rmtree(tmp_path / "bag")
    return sealed.bundle_id, tmp_path / "sent.tar.zst"


@pytest.fixture
def pushed(run, reprokit, captured, tmp_path) -> str:
    """A captured bundle on a remote that is a folder; the reference of it there."""
    config = reprokit.archive / ".dvc/config"
    config.write_text(f"{config.read_text()}['remote \"store\"']\n    url = {tmp_path / 'store'}\n")
    run("push", captured, "--remote", "store")
    return f"dvc:{tmp_path / 'store'}#{captured}"


def without_an_archive(reprokit) -> dict[str, str]:
    return {"REPROKIT_ARCHIVE": "", "XDG_DATA_HOME": str(reprokit.home / "share")}


def test_a_packed_bundle_is_shown_validated_and_compared_without_any_archive(run, reprokit, packed, nothing_left):
    bundle_id, path = packed
    where = without_an_archive(reprokit)

    text = run("show", path, **where).stdout
    shown = msgspec.json.decode(run("show", path, "--json", **where).stdout)

    assert f"bundle       {bundle_id}\nfetched      {path}" in text
    assert (shown["id"], shown["path"], shown["fetched"]) == (bundle_id, None, str(path))
    assert run("validate", path, **where).stdout == f"{bundle_id}: whole, as {path}\n"
    assert run("diff", path, path, **where).stdout.startswith("identical")
    assert not (reprokit.home / "share").exists()
    nothing_left()


def test_a_bundle_on_a_remote_is_shown_validated_and_compared_without_any_archive(
    run, reprokit, pushed, captured, nothing_left
):
    where = without_an_archive(reprokit)
    shutil.rmtree(reprokit.archive)

    shown = msgspec.json.decode(run("show", pushed[:-2], "--json", **where).stdout)

    assert (shown["id"], shown["path"], shown["fetched"]) == (captured, None, pushed)
    assert run("validate", pushed, **where).stdout == f"{captured}: whole, as {pushed}\n"
    assert run("diff", pushed, pushed, **where).stdout.startswith("identical")
    nothing_left()


def test_damage_is_named_with_its_file_and_its_code(run, packed, pushed, tmp_path, nothing_left):
    _, path = packed
    subprocess.run(["tar", "-xf", path], cwd=tmp_path, check=True)
    (tmp_path / "bag/data/results.json").write_bytes(b"{}")
    subprocess.run(["zip", "-qr", "bad.zip", "bag"], cwd=tmp_path, check=True)
    for each in (tmp_path / "store").rglob("*"):
        if each.is_file() and b"a word of warning" in each.read_bytes():
            each.chmod(0o644)
            each.write_bytes(b"another word")

    checked = msgspec.json.decode(run("validate", tmp_path / "bad.zip", pushed, "--json", check=12).stdout)

    assert [[found["code"] for found in each["findings"]] for each in checked] == [["E101"], ["E110"]]
    assert (
        f"reprokit: `{tmp_path / 'bad.zip'}`: it is not the bundle"
        in run("show", tmp_path / "bad.zip", check=12).stderr
    )
    nothing_left()


def test_what_cannot_be_used_is_told_with_a_way_out(run, tmp_path, nothing_left):
    (tmp_path / "x.tar").write_bytes(b"no tar file")

    done = run("show", tmp_path / "x.tar", check=12)
    assert f"`{tmp_path / 'x.tar'}` is not used: it is cut short" in done.stderr
    assert "hint: get it again" in done.stderr
    assert "nor is there a file `absent.zip`" in run("show", "absent.zip", check=10).stderr
    assert "there is nothing at" in run("show", f"dvc:{tmp_path / 'absent'}#2026", check=30).stderr
    nothing_left()


def test_neither_is_taken_into_an_archive_by_its_reference(run, packed, pushed):
    for reference in (packed[1], pushed):
        assert "is no reference of a mirror" in run("pull", reference, check=2).stderr


def test_a_temporary_folder_is_gone_when_the_reader_has_read_enough(
    reprokit, variables, make_bundle, samples, tmp_path
):
    make_bundle(tmp_path / "bag", samples=samples("toy", 20_000))
    subprocess.run(["tar", "-czf", "x.tar.gz", "bag"], cwd=tmp_path, check=True)
    command = [sys.executable, "-m", "reprokit", "show", tmp_path / "x.tar.gz", "--samples", "toy", "--all"]

    with subprocess.Popen(
        command, env=reprokit.environment(**variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        process.wait(timeout=120)

    assert list(Path(variables["TMPDIR"]).iterdir()) == []


def test_open_gives_a_bundle_whose_files_are_gone_with_it(packed, tmp_path, monkeypatch):
    bundle_id, path = packed
    monkeypatch.setenv("REPROKIT_ARCHIVE", "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))

    bundle = open_foreign(os.fspath(path), None)
    folder = bundle.path

    assert (bundle.info.bundle_id, folder.name, len(list(bundle.samples("toy")))) == (bundle_id, bundle_id, 4)
    del bundle
    assert not folder.exists()
    assert open_foreign(str(tmp_path), None) is None
