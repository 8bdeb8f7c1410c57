"""The processes that were started for one request, wherever they have put themselves: all have its mark.

W&B's own service is in a session of its own, so that ending that of its parent does not end it; it goes on with what it
was told, and ends when it notices that whoever started it is gone. Where it can be found, it is ended at once: what it
still sends would meet what the next push sends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

NAME = "REPROKIT_MIRROR_PROCESS"
"""The variable that holds the mark, which is made by chance."""
_DYING = 5.0
"""Seconds that are waited for killed ones: on a file system that hangs, even that may not end them."""
_POLL = 0.05


def find(mark: str) -> list[int]:
    """Find the processes with a mark, but this one; where there is no `/proc`, none."""
    sought = f"{NAME}={mark}".encode()
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if sought in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return [pid for pid in found if pid != os.getpid()]


def end(mark: str) -> None:
    """Kill the processes with a mark, but this one, and those that they start meanwhile."""
    until = time.monotonic() + _DYING
    while (left := find(mark)) and time.monotonic() < until:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL)
