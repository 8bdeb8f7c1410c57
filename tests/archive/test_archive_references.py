"""What a bundle may be called by."""

from __future__ import annotations

import shutil

import pytest

from reprokit.archive import pending, references, registration
from reprokit.bundle import bag
from reprokit.errors import ExitCode, NotFoundError, UsageError


@pytest.fixture
def three(archive, publish):
    return [publish("a", fold=True), publish("b", fold=True), publish("c")]


def test_a_full_id_names_its_bundle_registered_or_pending(archive, three):
    assert [references.resolve(each, archive) for each in three] == [archive.payload(each) for each in three]
    assert references.bundle_ids(archive) == sorted(three)


def test_the_folder_a_file_in_it_and_the_pointer_name_the_bundle_with_no_archive(archive, three, monkeypatch):
    folder = archive.payload(three[0])
    monkeypatch.chdir(folder.parent)

    for reference in (folder, folder / "data", folder / "data" / "bundle.json", archive.pointer(three[0]), folder.name):
        assert references.resolve(str(reference), None) == folder


def test_digits_of_the_identity_name_the_bundle(archive, three):
    for each in three:
        digits = bag.identity(archive.payload(each)).removeprefix("sha256:")
        for reference in (each[-8:], digits[:4], digits[:12], digits, f"sha256:{digits}", f"sha256:{digits[:10]}"):
            assert references.resolve(reference, archive) == archive.payload(each)


def test_digits_that_go_on_otherwise_name_nothing(archive, three):
    with pytest.raises(NotFoundError):
        references.resolve(three[0][-8:] + "0" * 16, archive)


def test_a_unique_beginning_names_the_bundle(archive, three):
    assert references.resolve(three[0][:-1], archive) == archive.payload(three[0])


def test_an_ambiguous_beginning_lists_the_candidates(archive, three):
    with pytest.raises(UsageError) as caught:
        references.resolve("20261123T", archive)

    assert caught.value.exit_code == ExitCode.USAGE
    assert all(each in caught.value.hint for each in three)


def test_latest_goes_by_the_moment_of_the_capture(archive, three):
    for back, expected in enumerate(reversed(three)):
        assert references.resolve(f"latest~{back}", archive) == archive.payload(expected)
    assert references.resolve("latest", archive) == archive.payload(three[-1])


def test_latest_of_an_older_publication_that_is_registered_later_stays_in_order(archive, publish):
    late = publish("late")
    (held,) = pending.markers(archive)
    pending.unmark(archive, held)
    newer = publish("newer", fold=True)
    pending.mark(archive, held)
    registration.fold(archive)

    assert list(references.newest_first(archive)) == [newer, late]


@pytest.mark.parametrize("reference", ["latest", "latest~0", "20261123"])
def test_an_empty_archive_holds_nothing(archive, reference):
    with pytest.raises(NotFoundError):
        references.resolve(reference, archive)


def test_too_far_back_is_told(archive, three):
    with pytest.raises(NotFoundError, match="3 bundles"):
        references.resolve("latest~3", archive)


def test_an_unknown_name_hints_at_near_ones(archive, three):
    with pytest.raises(NotFoundError) as caught:
        references.resolve(three[0].replace("tiny", "tinny"), archive)
    assert three[0] in caught.value.hint
    with pytest.raises(NotFoundError) as caught:
        references.resolve("gpt2-", archive)
    assert three[1] in caught.value.hint
    with pytest.raises(NotFoundError) as caught:
        references.resolve("nothing like it", archive)
    assert "reprokit list" in caught.value.hint


def test_a_bundle_that_is_not_here_hints_at_the_command_that_gets_it(archive, three):
    shutil.rmtree(archive.payload(three[0]))
    pointer = f"bundles/2026-11/{three[0]}.dvc"

    for reference, given, command in (
        (three[0], archive, f"reprokit pull {three[0]}"),
        (str(archive.pointer(three[0])), None, f"dvc --cd {archive.root} pull {pointer}"),
    ):
        with pytest.raises(NotFoundError) as caught:
            references.resolve(reference, given)
        assert caught.value.hint == f"`{command}`"


def test_a_name_without_an_archive_is_told(tmp_path):
    with pytest.raises(NotFoundError):
        references.resolve("20261123", None)
