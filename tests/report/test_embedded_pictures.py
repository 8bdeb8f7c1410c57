"""The pictures inside a page: by their bytes, within their bounds, and never a document."""

from __future__ import annotations

import base64

import pytest

from reprokit.bundle.sample import Medium
from reprokit.bundle.values import Unknown
from reprokit.report.embedded_pictures import PictureBook, picture_type

DIGEST = "sha256:" + "ab" * 32
IMAGE = Medium(kind="image", digest=DIGEST, name="cat.png", width=4, height=3)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        (b"<!DOCTYPE html>", None),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_the_type_of_a_picture_is_told_by_its_first_bytes(start, kind):
    assert picture_type(start) == kind


def test_a_picture_is_embedded_byte_for_byte(made):
    shown = PictureBook(lambda _: made.png()).picture(IMAGE)
    head, _, data = shown.source.partition(",")

    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == made.png()
    assert shown.facts == ["cat.png", "4 \N{MULTIPLICATION SIGN} 3", f"{DIGEST} of its file"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (None, "it is not to be had here; --pictures names folders to look in"),
        (b"<svg/>", "it is no PNG, JPEG, GIF or WebP"),
        (b"GIF89a" + b"x" * 1000, "it has 0.00101 MB, and a page shows those of up to 0.001 MB"),
    ],
)
def test_a_picture_that_is_left_out_says_why(data, reason):
    shown = PictureBook(lambda _: data, most_of_one=1000).picture(IMAGE)

    assert (shown.source, shown.left_out) == (None, reason)
    assert "cat.png" in shown.facts


def test_pictures_are_embedded_until_the_page_is_full():
    book = PictureBook(lambda _: b"GIF89a" + b"x" * 94, most_of_all=250)
    shown = [book.picture(IMAGE) for _ in range(3)]

    assert [picture.source is not None for picture in shown] == [True, True, False]
    assert "holds pictures of 0.00025 MB already" in shown[-1].left_out


def test_only_pictures_are_asked_for():
    def pictures(medium):
        raise AssertionError(medium)

    sound = Medium(kind="audio", digest=Unknown(unknown="not kept"))
    shown = PictureBook(pictures).picture(sound)

    assert shown.left_out == "only pictures are shown"
    assert shown.facts == ["digest not known: not kept"]
