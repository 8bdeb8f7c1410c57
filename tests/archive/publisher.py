"""A process of its own that publishes bundles: `publisher.py ARCHIVE KILL_AT BAG…`.

With KILL_AT above zero it kills itself before its KILL_AT-th operation on the file system; it prints how many there
were, when it lives to tell.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

from reprokit.archive import publication, registration
from reprokit.archive.layout import Archive

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


def main() -> None:
    root, kill_at, *bags = sys.argv[1:]
    archive = Archive(Path(root))
    operations = 0

    def count(event: str, _: tuple[object, ...]) -> None:
        nonlocal operations
        if event in COUNTED:
            operations += 1
            if operations == int(kill_at):
                os.kill(os.getpid(), signal.SIGKILL)

    stagings = [publication.stage(archive) for _ in bags]
    for bag, staging in zip(bags, stagings, strict=True):
        shutil.copytree(bag, staging / publication.BAG)
    sys.addaudithook(count)
    for staging in stagings:
        publication.publish(archive, staging)
        registration.fold(archive)
    print(operations)


if __name__ == "__main__":
    main()
