"""Payload files over 1 MiB of text are stored as `name.zst`; one function opens either kind.

Zstandard frames follow RFC 8878, with a checksum; `zstd -d` gives back the bytes.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import zstandard

from reprokit.bundle.bag import open_regular

SUFFIX = ".zst"
THRESHOLD = 1 << 20
_BUFFER = 1 << 17
_LEVEL = 3
_LOOK_AT = 8192


class Sink(Protocol):
    """What a file's content is written to."""

    def write(self, data: bytes, /) -> int:
        """Take all of the bytes."""
        ...


def is_text(start: bytes) -> bool:
    """Guess from the first bytes whether a file is text: it holds no NUL."""
    return b"\0" not in start[:_LOOK_AT]


def compressor(target: Sink) -> zstandard.ZstdCompressionWriter:
    """Open a writer that compresses into `target` and leaves it open."""
    writer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    # It asks no more of its target than `write`.
    return writer.stream_writer(cast("BinaryIO", target), closefd=False)


def open_stored(path: Path) -> BinaryIO:
    """Open a stored payload file for reading its uncompressed bytes. Links are refused.

    Raises:
        OSError: it cannot be opened.
    """
    stored = open_regular(path)
    if path.suffix != SUFFIX:
        return stored
    reader = zstandard.ZstdDecompressor().stream_reader(stored, read_across_frames=True, closefd=True)
    return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", reader), _BUFFER))
