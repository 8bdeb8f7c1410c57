"""Where a page's pictures come from: a bundle, or folders that were named, and only with the recorded bytes."""

from __future__ import annotations

import hashlib
import os

import pytest

from reprokit.bundle.reading import open_bundle
from reprokit.bundle.sample import Medium
from reprokit.report.found_pictures import FoundPictures

PICTURE = b"\x89PNG\r\n\x1a\n and some more"


def medium(name, data=PICTURE, **more):
    return Medium(kind="image", digest=f"sha256:{hashlib.sha256(data).hexdigest()}", name=name, **more)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "pictures"
    (place / "deep").mkdir(parents=True)
    (place / "deep/cat.png").write_bytes(PICTURE)
    (place / "dog.png").write_bytes(PICTURE)
    (tmp_path / "secret.png").write_bytes(PICTURE)
    return place


@pytest.mark.parametrize("name", ["deep/cat.png", "dog.png", "elsewhere/dog.png", "/data/dog.png"])
def test_a_picture_is_found_by_its_name_below_the_folder(folder, name):
    assert FoundPictures([], [folder])(medium(name)) == PICTURE


def test_other_bytes_under_the_name_are_not_the_picture(folder):
    assert FoundPictures([], [folder])(medium("dog.png", b"another")) is None


def test_a_digest_of_pixels_is_not_that_of_a_file(folder):
    assert FoundPictures([], [folder])(medium("dog.png", digest_of="pixels")) is None


@pytest.mark.parametrize(
    "name", ["../secret.png", "out.png", "loop/x.png", "a\0b.png", "..", "", None, "pipe", "x" * 5000]
)
def test_nothing_outside_of_the_folder_is_read_and_no_name_is_too_odd(folder, name):
    (folder / "out.png").symlink_to(folder.parent / "secret.png")
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")

    assert FoundPictures([], [folder])(medium(name)) is None


def test_a_picture_that_a_bundle_carries_is_found_without_any_folder(make_bundle, tmp_path):
    make_bundle(tmp_path / "one", harness_files={"harness/cat.png": PICTURE})
    bundle = open_bundle(tmp_path / "one")

    assert FoundPictures([bundle], [])(medium("anywhere.png")) == PICTURE
    (tmp_path / "one/data/harness/cat.png").chmod(0o644)
    (tmp_path / "one/data/harness/cat.png").write_bytes(PICTURE[::-1])
    assert FoundPictures([bundle], [])(medium("anywhere.png")) is None
