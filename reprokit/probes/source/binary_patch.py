"""What the binary parts of a git patch say, which nobody sees in its text.

They are written as lines of base85, each with its length before it, over zlib: whole contents (`literal`) or what is
inserted into the old ones (`delta`), see git's `diff.c` (`emit_binary_diff_body`).
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_HEADER = re.compile(rb"(?:literal|delta) [0-9]+\n")


def contents(patch: Path) -> Iterator[bytes]:
    """Yield the unpacked bytes of each binary part of a patch, as far as they can be unpacked.

    Raises:
        OSError: it cannot be read.
    """
    with patch.open("rb") as stream:
        for line in stream:
            # In a part that is text every line begins with a sign.
            if _HEADER.fullmatch(line):
                yield _unpacked(stream)


def _unpacked(stream: BinaryIO) -> bytes:
    packed = zlib.decompressobj()
    pieces: list[bytes] = []
    for line in stream:
        row = line.rstrip(b"\n")
        if not row:
            break
        with suppress(ValueError, zlib.error):
            pieces.append(packed.decompress(base64.b85decode(row[1:])[: _length(row[0])]))
    return b"".join(pieces)


def _length(letter: int) -> int:
    """Tell how many bytes a line stands for: `A` to `Z` are 1 to 26, `a` to `z` are 27 to 52."""
    return letter - ord("A") + 1 if letter <= ord("Z") else letter - ord("a") + 27
