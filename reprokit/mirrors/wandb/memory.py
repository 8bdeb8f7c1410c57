"""How much memory a process holds: what a server sends without an end must not fill that of the machine."""

from __future__ import annotations

import os
from pathlib import Path

MOST = 2 << 30
"""Bytes that are enough for the largest bundle that W&B takes."""


def held(pid: int) -> int:
    """Tell how many bytes of memory are a process's now; 0 where that cannot be learnt, or there is no such process."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, LookupError):
        return 0
