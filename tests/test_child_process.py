"""A program that is run to its end, whatever it does with what it is given."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, signal
from pathlib import Path
from reprokit import child_process

signal.signal(signal.SIGPIPE, signal.SIG_DFL)
for octets in (1, 1 << 20):
    ended = child_process.run(["true"], directory=Path("/"), environment={}, stdin=b"x" * octets, timeout=60)
    print(ended.status, signal.SIGPIPE in signal.sigpending(), signal.pthread_sigmask(signal.SIG_BLOCK, ()), flush=True)
os.kill(os.getpid(), signal.SIGPIPE)
print("not reached")
"""


def test_one_that_ends_before_it_has_read_anything_ends_nobody_else():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("0 False set()\n" * 2, "")
    assert done.returncode == -13
