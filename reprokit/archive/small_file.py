"""Reading the small files that describe an archive, whoever may have put them there.

A clone is a stranger's until it has been looked at: where a record is expected there may be a pipe that nobody writes
to, a link that leads anywhere, or a file without end.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from reprokit.bundle.bag import open_regular

LARGEST = 16 << 20
"""Bytes; a record of the archive is far smaller."""


def read(path: Path, *, most: int = LARGEST) -> bytes:
    """Read a regular file of bounded size; no link is followed, and nobody is waited for.

    Raises:
        OSError: it is missing, cannot be read, is no regular file, or is larger than `most` bytes.
    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
        # As many bytes as there were: whoever goes on writing does not keep us reading.
        return stream.read(size)
