"""A storm of captures: `storm.py ARCHIVE FOLDER PROCESSES CAPTURES SEED`.

So many processes capture so many runs each, at the same time, into one archive. A third of the captures are killed:
half of these by themselves, before a certain operation on the file system, half from outside at a certain moment.
Each capture is a process of its own, as `reprokit capture` is; they are forked, so that Python starts once.

FOLDER/<number>/ is where a run happens. `metrics.json` there says that its evaluation ran, and `said` names the bundle
once the capture has reported success. What was killed is printed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from reprokit.archive.layout import Archive
from reprokit.bundle.writing import Label
from reprokit.capture.live import capture_command
from reprokit.capture.request import Request

COUNTED = {
    "open",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.scandir",
    "os.listdir",
    "os.posix_spawn",
    "subprocess.Popen",
}


def capture(archive: Archive, folder: Path, number: int, kill_at: int) -> int:
    """Capture one run in a process of its own, which kills itself before its `kill_at`-th operation, if above zero."""
    child = os.fork()
    if child:
        return child
    try:
        for descriptor in (1, 2):
            os.dup2(os.open(folder / f"slurm-{descriptor}.out", os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
        if kill_at:
            die_at(kill_at)
        os.chdir(folder)
        outcome = capture_command(
            Request(
                argv=("sh", "-c", f'echo \'{{"storm": {{"number": {number}}}}}\' > metrics.json'),
                directory=folder,
                environment={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
                home=Path(os.environ["HOME"]),
                label=Label(tags=("storm",)),
                results=Path("metrics.json"),
            ),
            lambda: archive,
            last=True,
        )
        name, told = ("failed", repr(outcome.failure)) if outcome.failure else ("said", outcome.published[0].bundle_id)
        (folder / name).write_text(told)
    except BaseException as error:
        (folder / "failed").write_text(repr(error))
    os._exit(0)


def die_at(operation: int) -> None:
    done = 0

    def count(event: str, _: tuple[object, ...]) -> None:
        nonlocal done
        if event in COUNTED:
            done += 1
            if done == operation:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def work(archive: Archive, root: Path, numbers: range, seed: int) -> int:
    """Capture one run after the other, killing every third; returns how many kills struck."""
    chance = random.Random(seed)
    usual, killed = 0.3, 0
    for number in numbers:
        folder = root / str(number)
        folder.mkdir()
        doomed, by_itself, when = number % 3 == 0, number % 2 == 0, chance.random()
        began = time.monotonic()
        child = capture(archive, folder, number, 1 + int(when * OPERATIONS) if doomed and by_itself else 0)
        if doomed and not by_itself:
            time.sleep(when * usual)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        if not doomed:
            usual = time.monotonic() - began
    return killed


OPERATIONS = 400


def main() -> None:
    root, folder, processes, captures, seed = sys.argv[1:]
    workers: list[int] = []
    for number in range(int(processes)):
        worker = os.fork()
        if not worker:
            first = number * int(captures)
            os._exit(work(Archive(Path(root)), Path(folder), range(first, first + int(captures)), int(seed) + number))
        workers.append(worker)
    print(sum(os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers))


if __name__ == "__main__":
    main()
