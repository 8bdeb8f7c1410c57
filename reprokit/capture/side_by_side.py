"""Working on several files at once, in processes of our own.

They are started as programs, not by `multiprocessing`: the process that captures may be the evaluation's own (see
`in_process`), and neither its memory nor its main module is to be there a second time. A process ends with its standard
input, so that none outlives us, however we end; and none is in the terminal's process group, so that it is ours alone
to be interrupted. What cannot be done there is left to the caller.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import BinaryIO, Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

WORTH = 32_000_000
"""From how many bytes on it takes less time to start processes than they save."""
_MOST = 8
_PROGRAM = (
    "import pickle, sys; sys.path[:] = pickle.load(sys.stdin.buffer);"
    " from reprokit.capture.side_by_side import serve; serve()"
)


@dataclass(frozen=True, kw_only=True)
class Done(Generic[Outcome]):
    """What came out of one piece of work."""

    outcome: Outcome


@contextmanager
def helpers(octets: int) -> Iterator[Helpers | None]:
    """Have processes that work on `octets` bytes, as many as there are processors; none when that gains nothing.

    When the block ends, so do they, whatever they are doing.
    """
    processors = min(_processors(), _MOST)
    if octets < WORTH or processors == 1 or not sys.executable:
        yield None
        return
    started = Helpers(processors)
    try:
        yield started
    finally:
        started.end()


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Helpers:
    """Processes that work for us; each is started when there is something to do for it."""

    def __init__(self, most: int) -> None:
        self._threads = ThreadPoolExecutor(most)
        self._own = threading.local()
        self._lock = threading.Lock()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._ended = False

    def each(
        self, work: Callable[[Item], Outcome], items: Sequence[Item], sizes: Sequence[int]
    ) -> Iterator[Done[Outcome] | None]:
        """Do the work on every item, the largest first, and yield what came out in the order of the items.

        `None` stands for work that was not done, or not to its end: it is to be done again. The function and the items
        are pickled, so that the function has to be one that can be imported.
        """
        largest_first = sorted(range(len(items)), key=lambda index: -sizes[index])
        waiting = {index: self._threads.submit(self._ask, work, items[index]) for index in largest_first}
        for index in range(len(items)):
            yield waiting.pop(index).result()

    def end(self) -> None:
        """End the processes, and wait until they are gone."""
        with self._lock:
            self._ended = True
            for process in self._processes:
                process.kill()
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            with suppress(OSError), process:
                pass

    def _ask(self, work: Callable[[Item], Outcome], item: Item) -> Done[Outcome] | None:
        # Whatever goes wrong there goes wrong again, and is told, where the work is done again; or it does not.
        try:
            requests, answers = self._process()
            pickle.dump((work, item), requests)
            requests.flush()
            answer: Done[Outcome] | None = pickle.load(answers)  # noqa: S301 - our own process wrote it
        except Exception:  # noqa: BLE001 - see above
            return None
        return answer

    def _process(self) -> tuple[BinaryIO, BinaryIO]:
        """Give the pipes to and from the process of this thread."""
        if not hasattr(self._own, "pipes"):
            with self._lock:
                if self._ended:
                    raise BrokenPipeError
                process = subprocess.Popen(
                    [sys.executable, "-I", "-c", _PROGRAM],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    process_group=0,
                )
                self._processes.append(process)
            assert process.stdin is not None  # noqa: S101 - it is a pipe
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            self._own.pipes = process.stdin, process.stdout
            pickle.dump(sys.path, process.stdin)
        pipes: tuple[BinaryIO, BinaryIO] = self._own.pipes
        return pipes


def serve() -> None:
    """Do what is asked for on standard input, and end with it."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing that prints shall come between the answers
    requests: SimpleQueue[tuple[Callable[[object], object], object]] = SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    while True:
        work, item = requests.get()
        try:
            answer = Done(outcome=work(item))
        except Exception:  # noqa: BLE001 - it is told where the work is done again
            answer = None
        pickle.dump(answer, answers)
        answers.flush()


def _listen(requests: SimpleQueue[tuple[Callable[[object], object], object]]) -> None:
    try:
        while True:
            requests.put(pickle.load(sys.stdin.buffer))  # noqa: S301 - whoever started this process wrote it
    finally:
        os._exit(0)
