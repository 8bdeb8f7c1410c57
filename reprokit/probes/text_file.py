"""Small files of text, that may be missing."""

from __future__ import annotations

from pathlib import Path


def read_text(file: Path) -> str | None:
    """Read a file; `None` when it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
