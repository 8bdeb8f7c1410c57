"""Bundles packed into one file, by the programs people have: read back whole, by whatever name and kind they come."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard

from reprokit.errors import FixityError, NotFoundError, UnreadableError, UsageError
from reprokit.sync.packed.entries import Limits
from reprokit.sync.packed.opening import is_packed, open_packed

LONG = "harness/" + "d" * 150 + "/" + "f" * 150


@pytest.fixture
def bundle(make_bundle, tmp_path) -> Path:
    """A bundle in a folder of its own id, with long, empty and equal files."""
    files = {
        "harness/results.json": b"{}",
        "harness/empty": b"",
        "harness/again": b"{}",
        LONG: b"far",
        "harness/a b": b"2",
    }
    sealed = make_bundle(tmp_path / "made", harness_files=files)
    (tmp_path / "here").mkdir()
    return (tmp_path / "made").rename(tmp_path / "here" / sealed.bundle_id)


@pytest.fixture
def within(tmp_path) -> Path:
    folder = tmp_path / "within"
    folder.mkdir()
    return folder


@pytest.fixture
def same(bundle, within, snapshot):
    """Open a packed file, and hold what comes against the bundle."""

    def compare(path: Path) -> None:
        opened = open_packed(str(path), within)

        assert opened.path == within / bundle.name
        assert opened.record.harness.name == "lm_eval"
        assert snapshot(opened.path) == snapshot(bundle)
        assert [each.name for each in within.iterdir()] == [bundle.name]

    return compare


def run(*command: str | Path, directory: Path) -> None:
    subprocess.run(command, cwd=directory, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("x.tar", ["tar", "-cf", "x.tar", "ID"]),
        ("x.tar", ["tar", "-cf", "x.tar", "-C", "ID", "."]),
        ("x.tar", ["tar", "-cf", "x.tar", "../here/ID"]),
        ("x.tar", ["tar", "--format=posix", "-cf", "x.tar", "ID"]),
        ("x.tar", ["tar", "--format=gnu", "--numeric-owner", "-cf", "x.tar", "./ID"]),
        ("x.tar.gz", ["tar", "-czf", "x.tar.gz", "ID"]),
        ("x.tgz", ["tar", "-czf", "x.tgz", "ID"]),
        ("x.tar.zst", ["tar", "--zstd", "-cf", "x.tar.zst", "ID"]),
        ("X.ZIP", ["zip", "-qr", "X.ZIP", "ID"]),
        ("x.zip", ["zip", "-qr0D", "x.zip", "ID"]),
        ("x.zip", ["sh", "-c", "zip -qr - ID > x.zip"]),
        ("x.zip", ["sh", "-c", "zip -qr x.zip ID && echo a remark | zip -qz x.zip"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_what_people_s_programs_pack_comes_back(bundle, same, name, command):
    run(*(word.replace("ID", bundle.name) for word in command), directory=bundle.parent)

    same(bundle.parent / name)


@pytest.mark.parametrize("form", ["ustar", "gnu", "oldgnu", "posix"])
def test_names_too_long_for_one_field_are_read_in_every_form(make_bundle, tmp_path, within, snapshot, form):
    long = "harness/" + "d" * 60 + "/" + "f" * 90
    sealed = make_bundle(tmp_path / "made", harness_files={long: b"far"})
    run("tar", f"--format={form}", "-cf", "x.tar", "made", directory=tmp_path)

    opened = open_packed(str(tmp_path / "x.tar"), within)

    assert opened.info.bundle_id == sealed.bundle_id
    assert snapshot(opened.path) == snapshot(tmp_path / "made")


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_what_python_s_tarfile_packs_comes_back(bundle, same, tmp_path, form, mode):
    with tarfile.open(tmp_path / "x.tar", mode, format=form) as packed:
        packed.add(bundle, arcname=f"bundles/2026-11/{bundle.name}")

    same(tmp_path / "x.tar")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_python_s_zipfile_packs_comes_back_also_with_sizes_that_are_told_afterwards(
    bundle, same, tmp_path, method
):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", method) as packed:
        for path in sorted(bundle.rglob("*")):
            with packed.open(
                path.relative_to(bundle.parent).as_posix() + ("/" if path.is_dir() else ""), "w", force_zip64=True
            ) as stream:
                stream.write(path.read_bytes() if path.is_file() else b"")

    same(tmp_path / "x.zip")


def test_the_second_of_two_hard_links_is_a_file_as_the_first(bundle, same, tmp_path):
    # As they are in a bundle that was pulled: equal files share their bytes with DVC's cache.
    again = bundle / "data/harness/again"
    again.unlink()
    os.link(bundle / "data/harness/results.json", again)

    run("tar", "-cf", tmp_path / "x.tar", bundle.name, directory=bundle.parent)

    with tarfile.open(tmp_path / "x.tar") as packed:
        assert any(each.islnk() for each in packed)
    same(tmp_path / "x.tar")


def test_several_compressed_members_are_one_file(bundle, same, tmp_path):
    run("tar", "-cf", tmp_path / "plain", bundle.name, directory=bundle.parent)
    data = (tmp_path / "plain").read_bytes()
    skippable = b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"

    (tmp_path / "x.tar.gz").write_bytes(gzip.compress(data[:5000]) + gzip.compress(data[5000:]))
    same(tmp_path / "x.tar.gz")
    shutil.rmtree(tmp_path / "within" / bundle.name)
    (tmp_path / "x.tar.zst").write_bytes(skippable + zstandard.compress(data[:5000]) + zstandard.compress(data[5000:]))
    same(tmp_path / "x.tar.zst")


def test_what_macos_adds_is_passed_over(bundle, same, tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as packed:
        for name in (f"._{bundle.name}", f"{bundle.name}/._data", f"{bundle.name}/.DS_Store", "__MACOSX/x/._y"):
            packed.addfile(tarfile.TarInfo(name))
        packed.add(bundle, arcname=bundle.name)
        packed.addfile(tarfile.TarInfo(f"{bundle.name}/data/harness/._a b"))

    same(tmp_path / "x.tar")


def test_a_file_of_such_a_name_that_was_captured_is_the_bundle_s(make_bundle, within, tmp_path):
    sealed = make_bundle(tmp_path / "made", harness_files={"harness/._results.json": b"{}", "harness/.DS_Store": b"x"})
    run("zip", "-qr", "x.zip", "made", directory=tmp_path)

    opened = open_packed(str(tmp_path / "x.zip"), within)

    assert (opened.path / "data/harness/._results.json").read_bytes() == b"{}"
    assert opened.info.bundle_id == sealed.bundle_id


def test_a_link_to_a_packed_file_is_followed_and_a_pipe_is_not_waited_for(bundle, same, tmp_path):
    run("tar", "-cf", tmp_path / "kept.tar", bundle.name, directory=bundle.parent)
    (tmp_path / "x.tar").symlink_to(tmp_path / "kept.tar")
    os.mkfifo(tmp_path / "pipe.tar")

    same(tmp_path / "x.tar")
    with pytest.raises(UnreadableError, match="not a regular file"):
        open_packed(str(tmp_path / "pipe.tar"), tmp_path)
    with pytest.raises(NotFoundError, match="there is no file"):
        open_packed(str(tmp_path / "absent.tar"), tmp_path)


def test_a_packed_file_inside_of_a_bundle_means_that_bundle(make_bundle, tmp_path):
    make_bundle(tmp_path / "made", harness_files={"harness/images.zip": b"PK"})
    (tmp_path / "images.zip").write_bytes(b"PK")

    assert not is_packed(str(tmp_path / "made/data/harness/images.zip"))
    assert is_packed(str(tmp_path / "images.zip"))
    assert not is_packed(str(tmp_path / "absent.zip"))
    assert not is_packed(str(tmp_path / "made"))


def test_none_or_several_bundles_are_told(bundle, within, tmp_path):
    shutil.copytree(bundle, bundle.parent / "copy")
    run("tar", "-cf", tmp_path / "two.tar", ".", directory=bundle.parent)
    run("tar", "-cf", tmp_path / "none.tar", "data", directory=bundle)

    with pytest.raises(UsageError, match=r"holds 2 bundles: .*`copy`"):
        open_packed(str(tmp_path / "two.tar"), within)
    with pytest.raises(NotFoundError, match="holds no bundle"):
        open_packed(str(tmp_path / "none.tar"), within)
    assert list(within.iterdir()) == []


def test_a_changed_byte_is_found_before_the_bundle_is_read(bundle, within, tmp_path):
    record = bundle / "data/bundle.json"
    record.write_bytes(record.read_bytes().replace(b"tiny-gpt2", b"huge-gpt2"))
    run("zip", "-qr", tmp_path / "x.zip", bundle.name, directory=bundle.parent)

    with pytest.raises(
        FixityError, match=r"`.*x.zip`: .*`data/bundle.json`: a payload file is not what was captured"
    ) as told:
        open_packed(str(tmp_path / "x.zip"), within)

    assert [each.code for each in told.value.findings] == ["E101"]


def test_a_file_of_many_entries_is_read_within_its_limits(bundle, within, tmp_path):
    run("tar", "-cf", tmp_path / "x.tar", bundle.name, directory=bundle.parent)

    with pytest.raises(FixityError, match="more than 5 entries"):
        open_packed(str(tmp_path / "x.tar"), within, limits=Limits(entries=5))
    with pytest.raises(FixityError, match="unpacks to more than any bundle has"):
        open_packed(str(tmp_path / "x.tar"), within, limits=Limits(file=100))
    with pytest.raises(FixityError, match="unpacks to more than any bundle has"):
        open_packed(str(tmp_path / "x.tar"), within, limits=Limits(total=1000))
    assert list(within.iterdir()) == []
