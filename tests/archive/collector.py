"""A process of its own that removes garbage: `collector.py ARCHIVE KILL_AT`; it kills itself before that operation."""

from __future__ import annotations

import datetime as dt
import os
import signal
import sys
from pathlib import Path

from reprokit.archive.garbage import collection as garbage
from reprokit.archive.layout import Archive

COUNTED = {"os.remove", "os.rename", "os.rmdir", "os.unlink"}


def main() -> None:
    root, kill_at = sys.argv[1:]
    operations = 0

    def count(event: str, _: tuple[object, ...]) -> None:
        nonlocal operations
        if event in COUNTED:
            operations += 1
            if operations == int(kill_at):
                os.kill(os.getpid(), signal.SIGKILL)

    garbage._UNFINISHED = dt.timedelta(0)
    sys.addaudithook(count)
    garbage.collect(Archive(Path(root)), grace=dt.timedelta(0), remove=True)
    print(operations)


if __name__ == "__main__":
    main()
