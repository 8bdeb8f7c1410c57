"""Telling a signal that was sent to every process of a job from one that was sent to us alone.

A scheduler signals all, at once or one by one; the evaluation has had such a signal, and must not get it twice: the
second may strike while it shuts down in an orderly way. The kernel says who sent a signal, not who else got it. So a
witness stands by: a process of our own group that blocks every signal, so that the kernel shows which ones wait for it.
It ends when we do, however we end.
"""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

_PROGRAMS = ("/bin/cat", "/usr/bin/cat")
_PENDING = re.compile(r"^S(?:ig|hd)Pnd:\s*([0-9a-f]+)$", re.MULTILINE)
_PATIENCE = 0.1
"""Seconds within which a sender has gone through all the processes of a job."""
_PAUSE = 0.005


class Witness:
    """A process that waits for nothing but the end of ours."""

    def __init__(self) -> None:
        self._process: int | None = None
        self._pipe: int | None = None
        self._start()

    def _start(self) -> None:
        program = next((path for path in _PROGRAMS if os.access(path, os.X_OK)), None)
        if program is None:
            return
        source, pipe = os.pipe()
        try:
            # It may not stand on a descriptor that is ours, or hold on to what the evaluation's streams lead to.
            files: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [
                (os.POSIX_SPAWN_DUP2, source, 0),
                *((os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)),
            ]
            everything = signal.valid_signals()
            self._process = os.posix_spawn(program, ["cat"], {}, file_actions=files, setsigmask=everything)
            self._pipe = pipe
        except OSError:
            os.close(pipe)
        finally:
            os.close(source)

    def has_had(self, number: int) -> bool:
        """Tell whether a signal that we have just had was sent to it, too. It forgets it then."""
        if self._process is None:
            return False
        deadline = time.monotonic() + _PATIENCE
        while not self._waits(number):
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE)
        self.stop()
        self._start()
        return True

    def _waits(self, number: int) -> bool:
        try:
            status = Path(f"/proc/{self._process}/status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        return any(int(mask, 16) >> (number - 1) & 1 for mask in _PENDING.findall(status))

    def stop(self) -> None:
        """End it."""
        if self._pipe is not None:
            os.close(self._pipe)
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(self._process, 0)
        self._process = self._pipe = None
