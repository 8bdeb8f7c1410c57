"""A process that drains outbox after outbox, each in a child that may kill itself on the way.

`drainer.py ARCHIVE SERVICE KILL_AT [ARCHIVE SERVICE KILL_AT…]`: with KILL_AT above zero the child kills itself before
its KILL_AT-th operation on the file system; with `noting` or `leaving`, before the first event appears in the ledger or
the first wish leaves the outbox. For each a line is printed: how many operations there were, or `killed`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from reprokit.archive.layout import Archive
from reprokit.sync.mirroring import drain as mirroring
from reprokit.sync.mirroring.drain import Terms

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


MOMENTS = {"noting": ("os.rename", 1, "/ledger/"), "leaving": ("os.remove", 0, "/outbox/")}


def drain(root: str, service: str, kill_at: str) -> int:
    operations = 0
    moment, which, text = MOMENTS.get(kill_at, ("", 0, ""))

    def count(event: str, about: tuple[object, ...]) -> None:
        nonlocal operations
        if event in COUNTED:
            operations += 1
            if str(operations) == kill_at or (event == moment and text in str(about[which])):
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    terms = Terms(environment={"FOLDER_MIRROR": service}, directory=Path(root).parent)
    mirroring.drain(Archive(Path(root)), terms)
    return operations


def main() -> None:
    rest = sys.argv[1:]
    for root, service, kill_at in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        child = os.fork()
        if not child:
            print(drain(root, service, kill_at), flush=True)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            print("killed", flush=True)


if __name__ == "__main__":
    main()
