"""The pictures of samples inside a page: only what a browser merely paints, and no more than a page can bear."""

from __future__ import annotations

import base64
from collections.abc import Callable

from msgspec import Struct

from reprokit.bundle.sample import Medium
from reprokit.bundle.values import Unknown

Pictures = Callable[[Medium], bytes | None]

MOST_OF_ONE = 2_000_000
MOST_OF_ALL = 30_000_000
_MEGABYTE = 1_000_000


class Picture(Struct, frozen=True, kw_only=True):
    """A medium as a page shows it: `source` is its data, or `None` and the reason why it is left out."""

    kind: str
    facts: list[str]
    source: str | None = None
    left_out: str | None = None


class PictureBook:
    """Embeds pictures until the page is full."""

    def __init__(self, pictures: Pictures, *, most_of_one: int = MOST_OF_ONE, most_of_all: int = MOST_OF_ALL) -> None:
        self._pictures = pictures
        self._most_of_one = most_of_one
        self._most_of_all = most_of_all
        self._left = most_of_all

    def picture(self, medium: Medium) -> Picture:
        """Embed a medium, or say why it is left out."""
        facts = _facts(medium)
        if medium.kind != "image":
            return Picture(kind=medium.kind, facts=facts, left_out="only pictures are shown")
        data = self._pictures(medium)
        reason = self._refusal(data)
        if data is None or reason:
            return Picture(kind=medium.kind, facts=facts, left_out=reason)
        self._left -= len(data)
        source = f"data:{picture_type(data)};base64,{base64.b64encode(data).decode()}"
        return Picture(kind=medium.kind, facts=facts, source=source)

    def _refusal(self, data: bytes | None) -> str | None:
        if data is None:
            return "it is not to be had here; --pictures names folders to look in"
        if picture_type(data) is None:
            return "it is no PNG, JPEG, GIF or WebP"
        if len(data) > self._most_of_one:
            size, most = len(data) / _MEGABYTE, self._most_of_one / _MEGABYTE
            return f"it has {size:.3g} MB, and a page shows those of up to {most:.3g} MB"
        if len(data) > self._left:
            return f"the page holds pictures of {self._most_of_all / _MEGABYTE:.3g} MB already"
        return None


def picture_type(data: bytes) -> str | None:
    """Tell by its first bytes the type of a picture that a page may show; `None` for all else, SVG among it."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def _facts(medium: Medium) -> list[str]:
    digest = medium.digest
    known = (
        f"digest not known: {digest.unknown}" if isinstance(digest, Unknown) else f"{digest} of its {medium.digest_of}"
    )
    size = f"{medium.width} \N{MULTIPLICATION SIGN} {medium.height}" if medium.width and medium.height else None
    return [fact for fact in (medium.name, size, known) if fact]
