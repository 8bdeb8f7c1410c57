"""Which archive a command is about."""

from __future__ import annotations

import pytest

from reprokit.archive import creation
from reprokit.archive.location import default_root, locate
from reprokit.errors import ExitCode, NewerFormatError, NotFoundError, UnreadableError


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "work" / "deep"
    folder.mkdir(parents=True)
    return folder


def settings(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "reprokit.toml").write_text(text, encoding="utf-8")


def test_the_flag_counts_before_all_else(archive, place):
    settings(place, 'archive = "nowhere"')

    found = locate(archive.root, environment={"REPROKIT_ARCHIVE": "/nowhere"}, directory=place)

    assert found == archive


def test_the_variable_counts_before_the_settings_file(archive, place):
    settings(place, 'archive = "nowhere"')

    assert locate(None, environment={"REPROKIT_ARCHIVE": str(archive.root)}, directory=place) == archive


def test_a_settings_file_above_names_an_archive_relative_to_itself(archive, place):
    settings(place.parent, 'archive = "../archive"')

    assert locate(None, environment={"REPROKIT_ARCHIVE": ""}, directory=place) == archive


def test_a_settings_file_that_names_none_is_passed_over(archive, place):
    settings(place, "[other]\nkey = 1\n")
    settings(place.parent, 'archive = "../archive"')

    assert locate(None, environment={}, directory=place) == archive


def test_a_folder_in_an_archive_finds_that_archive(archive):
    assert locate(None, environment={}, directory=archive.bundles) == archive


def test_the_configuration_of_the_user_counts_last(archive, place, own_home):
    settings(own_home / ".config" / "reprokit", f'archive = "{archive.root}"')

    assert locate(None, environment={}, directory=place) == archive


def test_reading_commands_make_no_default_archive(place):
    with pytest.raises(NotFoundError) as caught:
        locate(None, environment={}, directory=place)

    assert caught.value.exit_code == ExitCode.NOT_FOUND
    assert "reprokit init DIR" in caught.value.hint
    assert not default_root().exists()


def test_the_default_archive_is_made_when_first_used_and_found_from_then_on(place):
    made = locate(None, environment={}, directory=place, create=True)

    assert made.root == default_root()
    assert locate(None, environment={}, directory=place) == made


def test_a_home_kept_in_git_does_not_stop_the_default_archive(place, own_home, git):
    git(own_home, "init", "-q")

    assert locate(None, environment={}, directory=place, create=True).root.is_relative_to(own_home)


def test_a_named_place_that_is_no_archive_is_never_made_one(place):
    with pytest.raises(NotFoundError) as caught:
        locate(place, environment={}, directory=place, create=True)

    assert caught.value.hint == f"make it one: `reprokit init {place}`"
    assert list(place.iterdir()) == []


def test_a_broken_settings_file_is_told(place):
    settings(place, "archive = ")

    with pytest.raises(UnreadableError, match=r"reprokit\.toml"):
        locate(None, environment={}, directory=place)


def test_an_archive_of_a_newer_format_is_refused(tmp_path):
    archive = creation.create(tmp_path / "archive")
    settings(archive.root, "[archive]\nformat = 2\n")

    with pytest.raises(NewerFormatError, match="format 2"):
        locate(archive.root, environment={}, directory=tmp_path)
