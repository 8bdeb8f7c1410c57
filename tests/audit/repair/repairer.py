"""A process that repairs estate after estate, each in a child that may kill itself on the way.

`repairer.py BUNDLE ARCHIVE KILL_AT [ARCHIVE KILL_AT…]`: with KILL_AT above zero the child kills itself before its
KILL_AT-th operation on the file system. For each a line is printed: how many there were, or `killed`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from reprokit.archive.layout import Archive
from reprokit.audit.repair.places import copies_of
from reprokit.audit.repair.repairing import repair

COUNTED = {
    "open",
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "subprocess.Popen",
}


def mend(bundle: str, root: str, kill_at: int) -> int:
    archive = Archive(Path(root))
    operations = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal operations
        # What only reads is no moment of its own.
        if event in COUNTED and not (event == "open" and arguments[1] == "r"):
            operations += 1
            if operations == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    with copies_of(archive, bundle, environ={}, patience=60) as copies:
        repair(archive, bundle, copies=copies)
    return operations


def main() -> None:
    bundle, *rest = sys.argv[1:]
    for root, kill_at in zip(rest[::2], rest[1::2], strict=True):
        child = os.fork()
        if not child:
            print(mend(bundle, root, int(kill_at)), flush=True)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            print("killed", flush=True)


if __name__ == "__main__":
    main()
