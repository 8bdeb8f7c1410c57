"""What a re-run is made from is what was agreed to, whoever changes the bundle meanwhile."""

from __future__ import annotations

import resource

import pytest

from reprokit.bundle.reading import open_bundle
from reprokit.errors import FixityError
from reprokit.reproduce.own_copy import own_copy


@pytest.fixture
def bundle(make_bundle):
    return open_bundle(make_bundle().path)


def change(path, data):
    path.chmod(0o644)
    path.write_bytes(data)


def test_records_and_environment_are_copied_and_outputs_are_not(bundle, tmp_path):
    copy = own_copy(bundle, tmp_path / "copy")

    assert copy.identity == bundle.identity
    assert copy.record == bundle.record
    assert copy.environment == bundle.environment
    assert not (tmp_path / "copy/data/samples").exists()


def test_a_file_that_was_swapped_after_the_proof_is_not_used(bundle, tmp_path):
    change(bundle.path / "data/environment/requirements.lock", b"evil==1.0\n")

    with pytest.raises(FixityError, match=r"requirements\.lock"):
        own_copy(bundle, tmp_path / "copy")


def test_a_manifest_that_was_swapped_with_it_is_not_believed(bundle, tmp_path):
    assert bundle.identity
    change(bundle.path / "manifest-sha256.txt", (bundle.path / "manifest-sha256.txt").read_bytes().replace(b"0", b"1"))

    with pytest.raises(FixityError, match="manifest"):
        own_copy(bundle, tmp_path / "copy")


def test_a_file_that_became_a_link_is_not_followed(bundle, tmp_path):
    lock = bundle.path / "data/environment/requirements.lock"
    (tmp_path / "same").write_bytes(lock.read_bytes())
    lock.unlink()
    lock.symlink_to(tmp_path / "same")

    with pytest.raises(FixityError):
        own_copy(bundle, tmp_path / "copy")


def test_a_full_disk_says_nothing_against_the_bundle(bundle, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A file that may grow no further is as good as a disk that is full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="too large") as failure:
            own_copy(bundle, tmp_path / "copy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert not isinstance(failure.value, FixityError)
