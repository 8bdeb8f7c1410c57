"""Any changed byte outside of the bundle is found as well: pointer, catalog entry, cache objects."""

from __future__ import annotations

import shutil

import pytest

from reprokit.archive import cache, dvc, validation
from reprokit.errors import NotFoundError


@pytest.fixture
def bundle(publish):
    return publish(fold=True)


def codes(archive, bundle_id):
    return {finding.code for finding in validation.check(archive, bundle_id)}


def changed(data, position):
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def rewrite(path, data):
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_registered_bundle_fits_all_that_is_said_of_it(archive, bundle):
    assert codes(archive, bundle) == set()


def test_a_pending_bundle_misses_nothing(archive, publish):
    assert codes(archive, publish()) == set()


def test_any_changed_byte_of_the_pointer_is_found(archive, bundle):
    pointer = archive.pointer(bundle)
    data = pointer.read_bytes()
    for position in range(0, len(data), 3):
        pointer.write_bytes(changed(data, position))

        assert "E107" in codes(archive, bundle), f"byte {position}"


def test_any_changed_byte_of_the_catalog_entry_is_found(archive, bundle):
    entry = archive.entry(bundle)
    data = entry.read_bytes()
    for position in range(0, len(data), 13):
        entry.write_bytes(changed(data, position))

        assert codes(archive, bundle) == {"E108"}, f"byte {position}"


@pytest.mark.parametrize("more", [b" ", b"\n", b"# comment\n"])
def test_another_spelling_is_found(archive, bundle, more):
    for path, code in ((archive.pointer(bundle), "E107"), (archive.entry(bundle), "E108")):
        data = path.read_bytes()
        path.write_bytes(data + more)
        assert codes(archive, bundle) == {code}
        path.write_bytes(data)


def test_a_missing_pointer_and_entry_are_found(archive, bundle):
    archive.pointer(bundle).unlink()
    archive.entry(bundle).unlink()

    assert codes(archive, bundle) == {"E107", "E108"}


def test_a_pointer_to_another_sound_bundle_is_found(archive, bundle, publish):
    other = publish("other", fold=True)
    shutil.copy(archive.pointer(other), archive.pointer(bundle))

    assert "E107" in codes(archive, bundle)


def test_a_damaged_payload_file_is_found_in_the_cache_too_when_they_are_one(archive, bundle):
    path = archive.payload(bundle) / "data" / "bundle.json"
    rewrite(path, changed(path.read_bytes(), 100))

    assert {"E107", "E109"} <= codes(archive, bundle)


@pytest.mark.parametrize("harm", ["changed", "missing", "link"])
def test_every_object_that_is_not_sound_is_found(archive, bundle, harm, tmp_path):
    store = cache.of(archive)
    oid = dvc.read_pointer(archive.pointer(bundle)).oid
    for md5 in (*dvc.read_listing(store, oid).values(), oid):
        place, kept = store.place(md5), tmp_path / "kept"
        place.rename(kept)
        match harm:
            case "changed":
                place.write_bytes(changed(kept.read_bytes(), 0))
            case "link":
                place.symlink_to(kept)

        assert codes(archive, bundle) == {"E109"}

        place.unlink(missing_ok=True)
        kept.rename(place)
    assert codes(archive, bundle) == set()


def test_a_renamed_bundle_is_found(archive, bundle):
    other = bundle.replace("tiny", "huge")
    archive.payload(bundle).rename(archive.payload(other))

    assert "E106" in codes(archive, other)


def test_a_bundle_that_is_not_here_is_told(archive, bundle):
    shutil.rmtree(archive.payload(bundle))

    with pytest.raises(NotFoundError, match="not in this copy"):
        list(validation.check(archive, bundle))
