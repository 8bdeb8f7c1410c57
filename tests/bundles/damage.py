"""What befalls files that nobody should touch."""

from __future__ import annotations

from pathlib import Path


def rewrite(path: Path, data: bytes) -> None:
    """Put other bytes into a file that may be read-only; the file keeps its inode, and so does every hardlink of it."""
    path.chmod(0o644)
    path.write_bytes(data)


def flip(path: Path, position: int = 0) -> None:
    """Let one bit of a file be another."""
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    rewrite(path, bytes(data))
