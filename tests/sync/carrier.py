"""A process that pushes or pulls archive after archive, each in a child that may kill itself on the way.

`carrier.py push|pull ARCHIVE KILL_AT [ARCHIVE KILL_AT…]`: with KILL_AT above zero the child kills itself before its
KILL_AT-th operation on the file system. For each a line is printed: how many there were, or `killed`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from reprokit.archive.layout import Archive
from reprokit.sync.remotes import pull, push
from reprokit.sync.remotes.configuration import choose

COUNTED = {
    "open",
    "os.chmod",
    "os.link",
    "os.listdir",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.scandir",
    "subprocess.Popen",
}


def carry(action: str, root: str, kill_at: int) -> int:
    archive = Archive(Path(root))
    operations = 0

    def count(event: str, _: tuple[object, ...]) -> None:
        nonlocal operations
        if event in COUNTED:
            operations += 1
            if operations == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    (push.push if action == "push" else pull.pull)(archive, None, choose(archive, None), patience=60)
    return operations


def main() -> None:
    action, *rest = sys.argv[1:]
    for root, kill_at in zip(rest[::2], rest[1::2], strict=True):
        child = os.fork()
        if not child:
            print(carry(action, root, int(kill_at)), flush=True)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            print("killed", flush=True)


if __name__ == "__main__":
    main()
