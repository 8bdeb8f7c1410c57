"""The bytes of a tar file, unpacked as they are asked for and never more of them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from io import BufferedReader
from typing import BinaryIO, cast

import zstandard

from reprokit.sync.packed.entries import DAMAGED, Limits, UnusableError

GZIP = b"\x1f\x8b"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = b"\x2a\x4d\x18"  # from its second byte on: what some programs write before the first frame
_LARGEST_WINDOW = 1 << 27  # bytes of memory
_CHUNK = 1 << 20


class Stream:
    """The bytes of a packed file from its beginning; `octets` have been read of them.

    Raises:
        UnusableError: by every method, when there are fewer bytes than asked for, or many more than any bundle has.
    """

    def __init__(self, file: BufferedReader, limits: Limits) -> None:
        file.seek(0)
        start = file.read(4)
        file.seek(0)
        self._file = file
        self._limits = limits
        self._plain = False
        self.octets = 0
        if start.startswith(GZIP):
            self._source: BinaryIO = cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb"))
        elif start == _ZSTANDARD or start[1:] == _SKIPPABLE:
            unpacker = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
            self._source = cast("BinaryIO", unpacker.stream_reader(file, read_across_frames=True, closefd=False))
        else:
            self._source, self._plain = file, True

    def some(self, most: int) -> bytes:
        """Read up to so many bytes; none at the end."""
        try:
            data = self._source.read(min(most, _CHUNK))
        except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
            raise UnusableError(f"it cannot be unpacked: {error}", hint=DAMAGED) from error
        self.octets += len(data)
        if not self._plain and self.octets > self._limits.ratio * self._file.tell() + self._limits.slack:
            raise UnusableError(f"it unpacks to more than {self._limits.ratio} times its size")
        return data

    def exactly(self, amount: int) -> bytes:
        """Read so many bytes."""
        return b"".join(self.chunks(amount))

    def chunks(self, amount: int) -> Iterator[bytes]:
        """Read so many bytes, some at a time."""
        while amount:
            data = self.some(amount)
            if not data:
                raise UnusableError("it is cut short", hint=DAMAGED)
            amount -= len(data)
            yield data

    def skip(self, amount: int) -> None:
        """Pass over so many bytes."""
        if self._plain:
            self._file.seek(amount, 1)
            self.octets += amount
            return
        for _ in self.chunks(amount):
            pass
