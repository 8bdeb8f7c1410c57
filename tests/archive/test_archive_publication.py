"""Publishing is one rename: whole or not at all, once per content, and nobody's live work is cleared away."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec
import pytest

from reprokit.archive import creation, owner, pending, publication, registration
from reprokit.archive.owner import Life, Owner
from reprokit.bundle import bag, canonical, compression
from reprokit.errors import CaptureError, FixityError, NotFoundError


def visible(archive):
    return sorted(path.name for path in archive.bundles.glob("*/*"))


@contextlib.contextmanager
def a_full_disk():
    """No file may grow: what a full disk looks like to a writer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def unwritable(*folders: Path):
    """Folders that may be read only, also when the tests run as root."""
    modes = [(folder, folder.stat().st_mode) for folder in folders]
    for folder in folders:
        folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        for folder, mode in modes:
            folder.chmod(mode)


@pytest.fixture
def open_tmp():
    """A folder that every user may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="archive-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_published_bundle_is_whole_in_the_folder_of_its_month_and_staging_is_gone(archive, publish):
    bundle_id = publish()

    assert archive.payload(bundle_id) == archive.bundles / "2026-11" / bundle_id
    assert list(bag.verify(archive.payload(bundle_id))) == []
    assert list(archive.staging.iterdir()) == []
    assert list(pending.waiting(archive)) == [bundle_id]


def test_the_bag_itself_may_be_named_wherever_it_is_in_the_staging_folder(archive, make_bundle):
    staging = publication.stage(archive)
    sealed = make_bundle(staging / "work" / "made")

    published = publication.publish(archive, sealed.path)

    assert (published.bundle_id, published.new) == (sealed.bundle_id, True)
    assert not staging.exists()


def test_an_undated_bundle_goes_to_its_own_folder(archive, publish, undated):
    bundle_id = publish(record=undated)

    assert archive.payload(bundle_id) == archive.bundles / "undated" / bundle_id
    assert archive.payload(bundle_id).is_dir()


def test_equal_content_is_published_once(archive, publish, make_bundle, snapshot):
    first = publish()
    before = snapshot(archive.root)
    staging = publication.stage(archive)
    make_bundle(
        staging / "bag", harness_files={"harness/results.json": b'{"word": "one"}\n'}, captured="2027-01-01T00:00:00Z"
    )

    again = publication.publish(archive, staging)

    assert (again.bundle_id, again.new) == (first, False)
    assert snapshot(archive.root) == before
    assert not staging.exists()


def test_equal_content_is_recognised_by_its_catalog_entry_when_the_payload_is_not_here(archive, publish, make_bundle):
    first = publish(fold=True)
    shutil.rmtree(archive.payload(first))
    staging = publication.stage(archive)
    make_bundle(staging / "bag", harness_files={"harness/results.json": b'{"word": "one"}\n'})

    again = publication.publish(archive, staging)

    assert (again.bundle_id, again.new) == (first, False)
    assert not archive.payload(first).exists()


def test_equal_content_is_recognised_when_another_zstd_has_compressed_it(archive, make_bundle, monkeypatch):
    files = {"harness/big.jsonl": b'{"a": 1}\n' * 200_000}
    made = []
    for level in (3, 19):
        monkeypatch.setattr(compression, "_LEVEL", level)
        staging = publication.stage(archive)
        made.append(make_bundle(staging / "bag", harness_files=files))
        published = publication.publish(archive, staging)

    assert made[0].bundle_id != made[1].bundle_id
    assert (published.bundle_id, published.new) == (made[0].bundle_id, False)


def test_other_content_of_the_same_run_is_another_bundle(archive, publish):
    assert publish("one") != publish("two")
    assert len(visible(archive)) == 2


def test_the_loser_of_a_race_with_equal_content_leaves_the_winner_pending(archive, publish, make_bundle, monkeypatch):
    winner = publish()
    staging = publication.stage(archive)
    make_bundle(staging / "bag", harness_files={"harness/results.json": b'{"word": "one"}\n'})
    # As if the winner had not been there yet when the loser looked.
    monkeypatch.setattr(publication, "holder", lambda *_: None)

    lost = publication.publish(archive, staging)

    assert (lost.bundle_id, lost.new) == (winner, False)
    assert [len(markers) for markers in pending.waiting(archive).values()] == [1]
    assert not staging.exists()


def test_what_is_not_sealed_is_not_published(archive):
    staging = publication.stage(archive)
    (staging / "bag" / "data").mkdir(parents=True)

    with pytest.raises(NotFoundError):
        publication.publish(archive, staging)

    assert visible(archive) == []


def test_a_bundle_that_is_not_the_one_it_says_is_not_published(archive, make_bundle):
    staging = publication.stage(archive)
    sealed = make_bundle(staging / "bag")
    manifest = sealed.path / bag.MANIFEST
    manifest.chmod(0o644)
    manifest.write_bytes(manifest.read_bytes() + b"0" * 64 + b"  data/more\n")

    with pytest.raises(FixityError, match=sealed.bundle_id):
        publication.publish(archive, staging)

    assert visible(archive) == []
    assert pending.markers(archive) == []


def test_a_full_disk_is_told_and_leaves_nothing_visible(archive, make_bundle):
    staging = publication.stage(archive)
    make_bundle(staging / "bag")

    with a_full_disk():
        with pytest.raises(CaptureError, match="cannot be written"):
            publication.stage(archive)
        with pytest.raises(CaptureError, match="cannot be written") as caught:
            publication.publish(archive, staging)

    assert "--from" in caught.value.hint
    assert visible(archive) == []
    assert pending.markers(archive) == []
    assert publication.publish(archive, staging).new


def test_a_full_disk_leaves_a_published_bundle_pending(archive, publish):
    bundle_id = publish()

    with a_full_disk():
        folding = registration.fold(archive)

    assert (folding.registered, folding.left) == ((), (bundle_id,))
    assert "cannot be written" in folding.reason
    assert registration.fold(archive).registered == (bundle_id,)


def test_an_unwritable_archive_is_told_and_leaves_nothing_visible(open_tmp, make_bundle):
    archive = creation.create(open_tmp / "archive")
    staging = publication.stage(archive)
    staging.chmod(0o777)
    make_bundle(staging / "bag")

    with unwritable(archive.private, archive.scratch, archive.staging, archive.bundles):
        with pytest.raises(CaptureError, match="Permission denied"):
            publication.stage(archive)
        with pytest.raises(CaptureError, match="Permission denied"):
            publication.publish(archive, staging)

    assert visible(archive) == []
    assert publication.publish(archive, staging).new


def a_dead_process():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    seen = owner.process(child.pid)
    assert owner.life(seen) is Life.ALIVE
    child.communicate(b"\n")
    return seen


def owned_by(staging, **changes):
    described = canonical.decode((staging / "owner.json").read_bytes(), Owner)
    (staging / "owner.json").write_bytes(canonical.record(msgspec.structs.replace(described, **changes)))


def test_a_staging_folder_says_who_is_at_work(archive):
    staging = publication.stage(archive, {"description": "a capture of lm_eval"})

    described = canonical.decode((staging / "owner.json").read_bytes(), Owner)

    assert described.description == "a capture of lm_eval"
    assert described.process.pid == os.getpid()
    assert owner.life(described.process) is Life.ALIVE
    assert publication.abandoned(archive) == []
    assert publication.clear(archive) == []
    assert staging.is_dir()


def test_what_a_dead_process_left_is_cleared(archive, make_bundle):
    staging, other = publication.stage(archive), publication.stage(archive)
    make_bundle(staging / "bag")
    owned_by(staging, process=a_dead_process())

    assert [each.path for each in publication.abandoned(archive)] == [staging]
    assert publication.clear(archive) == [staging]
    assert not staging.exists()
    assert other.is_dir()


def test_a_number_that_another_process_has_now_is_not_the_owner(archive):
    staging = publication.stage(archive)
    mine = owner.process(os.getpid())
    owned_by(staging, process=msgspec.structs.replace(mine, start=mine.start - 1))

    assert publication.clear(archive) == [staging]


@pytest.mark.parametrize("fields", [("host",), ("boot", "machine"), ("namespace",)], ids=" and ".join)
def test_what_cannot_be_judged_from_here_is_left_alone(archive, fields):
    staging = publication.stage(archive)
    owned_by(staging, process=msgspec.structs.replace(a_dead_process(), **dict.fromkeys(fields, "elsewhere")))

    assert publication.abandoned(archive) == []
    assert publication.clear(archive) == []
    assert staging.is_dir()


def test_a_staging_folder_is_kept_while_its_evaluation_runs(archive):
    staging = publication.stage(archive)
    publication.record_evaluation(archive, staging, os.getpid())
    owned_by(staging, process=a_dead_process())

    assert [each.gone for each in publication.abandoned(archive)] == [False]
    assert publication.clear(archive) == []
    assert staging.is_dir()


def test_clearing_follows_no_link(archive, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    staging = publication.stage(archive)
    (staging / "link").symlink_to(precious)
    owned_by(staging, process=a_dead_process())
    (archive.staging / "linked").symlink_to(precious)
    shutil.copy(staging / "owner.json", precious / "owner.json")

    assert publication.clear(archive) == [staging]
    assert (precious / "file").read_text() == "x"


def a_failing_rename(*_):
    raise OSError(5, "Input/output error")


def test_clearing_forgets_the_marker_of_a_bundle_that_was_never_moved(archive, make_bundle, monkeypatch):
    staging = publication.stage(archive)
    make_bundle(staging / "bag")
    monkeypatch.setattr(publication, "_move", a_failing_rename)
    with pytest.raises(CaptureError):
        publication.publish(archive, staging)
    owned_by(staging, process=a_dead_process())
    assert len(pending.markers(archive)) == 1
    assert pending.waiting(archive) == {}

    publication.clear(archive)

    assert pending.markers(archive) == []
    assert registration.fold(archive).registered == ()
