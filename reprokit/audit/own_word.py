"""A word that stands for this copy of an archive on this machine, so that nothing is believed that came with a copy.

What an audit keeps in the private folder (results of a journal, findings about content, answers) travels with a copy of
the whole folder, and may have been made elsewhere, of other bytes. A folder that is copied or unpacked is another.
"""

from __future__ import annotations

import hashlib
import os

from reprokit.archive.layout import Archive


def own_word(archive: Archive) -> str:
    """Give the word; it follows from where the archive lies, on which file system, and as which folder of it."""
    try:
        state = os.lstat(archive.private)
        told = (os.path.realpath(archive.root), state.st_dev, state.st_ino, state.st_uid)
    except OSError:
        told = (os.path.realpath(archive.root), 0, 0, 0)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]
