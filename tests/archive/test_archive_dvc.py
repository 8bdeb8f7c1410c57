"""What is written in DVC's name is what DVC writes: the plain program is the oracle."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprokit.archive import cache, dvc, registration, validation
from reprokit.archive.dvc import Pointer
from reprokit.archive.layout import Archive
from reprokit.bundle import bag
from reprokit.errors import FixityError, NotFoundError, UnreadableError

ODD_FILES = {
    "harness/results.json": b'{"acc": 0.5}\n',
    # By text `a b` < `a.txt` < `a/b` < `aa`, by parts `a/b` comes before `a.txt`: the order of the listing shows.
    "harness/a/b": b"1",
    "harness/a b": b"2",
    "harness/a.txt": b"3",
    "harness/aa": b"1",
    "harness/empty": b"",
    "harness/[x]=@~(y),z.json": b"{}",
    "harness/big.bin": bytes(range(256)) * 8192,
}


def run(directory: Path, *arguments: str) -> str:
    program = Path(sys.executable).with_name("dvc")
    done = subprocess.run([str(program), *arguments], cwd=directory, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def objects(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def test_dvc_agrees_in_another_repository_in_this_one_and_in_a_clone(archive, publish, git, tmp_path, snapshot):
    bundle_id = publish(harness_files=ODD_FILES, fold=True)
    name, folder = f"{bundle_id}.dvc", archive.payload(bundle_id)
    before = snapshot(folder)

    # `dvc add` of the same folder elsewhere names and stores the same.
    other = tmp_path / "other"
    shutil.copytree(folder, other / bundle_id)
    git(other, "init", "-q")
    run(other, "init", "-q")
    run(other, "add", "-q", bundle_id)
    ours = archive.pointer(bundle_id).read_text()
    assert ours.partition("meta:")[0] == (other / name).read_text()
    assert objects(cache.of(archive).directory) == objects(other / ".dvc/cache/files/md5")

    # Here, it finds everything in order, and writes what it reads as we do.
    target = f"bundles/2026-11/{name}"
    assert "up to date" in run(archive.root, "status", target)
    archive.pointer(bundle_id).write_text(ours.replace("size: ", "size: 9"))
    run(archive.root, "commit", "-q", "-f", target)
    assert archive.pointer(bundle_id).read_text() == ours
    run(archive.root, "remote", "add", "-q", "-d", "store", str(tmp_path / "store"))
    run(archive.root, "push", "-q", target)
    assert git(archive.root, "status", "--porcelain") == " M .dvc/config\n"
    git(archive.root, "commit", "-qam", "a remote")

    # In a clone, the same bytes come back, and nothing is left to commit.
    git(tmp_path, "clone", "-q", str(archive.root), "clone")
    clone = Archive(tmp_path / "clone")
    run(clone.root, "pull", "-q", target)
    assert snapshot(clone.payload(bundle_id)) == before
    assert list(bag.verify(clone.payload(bundle_id))) == []
    assert list(validation.check(clone, bundle_id)) == []
    assert git(clone.root, "status", "--porcelain") == ""

    # A clone is an archive like any other.
    publish("from the clone", into=clone, fold=True)
    assert git(clone.root, "status", "--porcelain") == ""


digests = st.from_regex("[0-9a-f]{32}", fullmatch=True)


@given(
    oid=digests,
    size=st.integers(0, 10**15),
    nfiles=st.integers(1, 10**6),
    identity=st.from_regex("sha256:[0-9a-f]{64}", fullmatch=True),
)
def test_a_pointer_is_read_as_it_was_written(oid, size, nfiles, identity, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "pointer.dvc"
    pointer = Pointer(oid=f"{oid}.dir", size=size, nfiles=nfiles, path="an-id", identity=identity)
    path.write_bytes(dvc.encode(pointer))

    assert dvc.read_pointer(path) == pointer


def test_a_pointer_of_somebody_elses_is_refused(tmp_path):
    (tmp_path / "x.dvc").write_text(
        "outs:\n- md5: 764efa883dda1e11db47671c4a3bbd9e\n  size: 3\n  hash: md5\n  path: x\n"
    )

    with pytest.raises(UnreadableError):
        dvc.read_pointer(tmp_path / "x.dvc")
    with pytest.raises(NotFoundError):
        dvc.read_pointer(tmp_path / "y.dvc")


def test_objects_share_their_bytes_with_the_bundle_and_are_read_only(archive, publish):
    folder = archive.payload(publish(fold=True))

    for path, md5 in dvc.survey(folder).files.items():
        place = cache.of(archive).place(md5)
        assert place.samefile(folder / path)
        assert place.stat().st_mode & 0o777 == 0o444


def test_registering_again_changes_nothing(archive, publish, snapshot):
    bundle_id = publish(fold=True)
    before = snapshot(archive.root)
    inodes = {path: path.stat().st_ino for path in cache.of(archive).directory.rglob("*")}

    dvc.register(archive, bundle_id)

    assert snapshot(archive.root) == before
    assert {path: path.stat().st_ino for path in cache.of(archive).directory.rglob("*")} == inodes


def test_a_damaged_object_is_mended_and_a_sound_one_of_another_bundle_is_kept(archive, publish):
    first = publish("a", fold=True)
    store = cache.of(archive)
    common = store.place(cache.md5_of(archive.payload(first) / "bagit.txt"))
    listing = dvc.survey(archive.payload(first))
    damaged = store.place(listing.files["data/bundle.json"])
    damaged.unlink()
    damaged.write_bytes(b"rot")

    publish("b", fold=True)
    dvc.register(archive, first)

    assert common.samefile(archive.payload(first) / "bagit.txt")
    assert cache.md5_of(damaged) == listing.files["data/bundle.json"]


def test_where_links_cannot_be_made_objects_are_copies(archive, publish, monkeypatch):
    def refuse(*_, **__):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    bundle_id = publish(fold=True)
    folder = archive.payload(bundle_id)

    assert not any(
        cache.of(archive).place(md5).samefile(folder / path) for path, md5 in dvc.survey(folder).files.items()
    )
    assert list(validation.check(archive, bundle_id)) == []


@pytest.mark.parametrize(
    ("shared", "own", "local", "expected"),
    [
        ("", '[cache]\n    dir = cache\n    type = "hardlink,copy"\n', "", (".dvc/cache", True)),
        ("[cache]\n    dir = /shared\n", "", "", ("/shared", True)),
        ("[cache]\n    dir = /shared\n", "['remote r']\n    url = s3://x\n[cache]\n    dir = ../../up\n", "", ("../up", True)),
        ("", "[core]\n    remote = r\n[cache]\n    dir = x\n", "[cache]\n    dir = /here\n    type = copy\n", ("/here", False)),
        ("", "[cache]\n    type = symlink\n", "", (".dvc/cache", False)),
    ],
)  # fmt: skip
def test_the_cache_is_where_the_configuration_of_dvc_says(archive, own_home, shared, own, local, expected):
    (own_home / ".config" / "dvc").mkdir(parents=True)
    (own_home / ".config" / "dvc" / "config").write_text(shared)
    (archive.root / ".dvc" / "config").write_text(own)
    (archive.root / ".dvc" / "config.local").write_text(local)

    found = cache.of(archive)

    assert found.directory == Path(os.path.normpath(archive.root / expected[0])) / "files" / "md5"
    assert found.hardlinks is expected[1]


@pytest.mark.parametrize(
    "data", [b'[{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "../../x"}]', b"[]x", b'[{"relpath": "x"}]']
)
def test_a_listing_that_leads_out_of_the_bundle_or_is_none_is_refused(archive, data):
    name = hashlib.md5(data).hexdigest() + ".dir"
    cache.store_bytes(cache.of(archive), data, name)

    with pytest.raises(FixityError):
        dvc.read_listing(cache.of(archive), name)


def test_a_bundle_under_another_name_is_not_registered(archive, publish):
    bundle_id = publish()
    other = bundle_id[:-8] + "00000000"
    archive.payload(bundle_id).rename(archive.payload(other))
    registration.mark_again(archive, [other])

    folding = registration.fold(archive)

    assert (folding.registered, folding.left) == ((), (other,))
    assert "another bundle" in folding.reason
