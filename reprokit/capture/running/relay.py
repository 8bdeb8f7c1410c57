"""The relay: a program of its own that passes one stream on and writes it to a log.

It stands between the evaluation and the place its output goes to, in a process of its own, so that the output goes on
flowing when reprokit is killed. It is started by its path in an isolated interpreter (`python -I -S relay.py …`) rather
than forked, so that it inherits no lock, no thread and no open file of reprokit, and it imports nothing but built-in
modules, so that it is ready within milliseconds. It is started with every signal blocked: nothing but SIGKILL ends it
before the evaluation has closed the stream.

It speaks over two pipes. `ended` becomes readable when the evaluation is over, and is merely hung up when reprokit
died. On `report` it writes one line, after which it never touches the log again: `whole` when the stream was closed,
`held` when processes that the evaluation left behind keep it open; then, after a tab, why the log is cut short, if it
is.
"""

from __future__ import annotations

import os
import select
import sys
import time

CHUNK = 1 << 16
"""How many bytes are read at once: what a pipe holds."""

PATIENCE = 2.0
"""For how many seconds after its end the evaluation's own processes are waited for to close the stream."""

BACKLOG = 1 << 20
"""More bytes than a pipe or a terminal can hold: what comes after as many was written after the end."""


def write_whole(descriptor: int, data: bytes) -> str | None:
    """Write all of the data, waiting where the descriptor makes us wait; say why when it cannot be done."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            # Somebody who shares the destination set it non-blocking; that is theirs, so it is not set back.
            _wait_until_writable(descriptor)
        except OSError as error:
            return error.strerror or "unknown error"
    return None


def _wait_until_writable(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    poll.poll()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, CHUNK)
    except OSError:
        # EIO is how a terminal says that its other side is closed.
        return b""


class Relay:
    """One stream on its way: where it comes from, where it goes, and what became of its log."""

    def __init__(self, *, source: int, destination: int, log: int, ended: int, report: int) -> None:
        self._source = source
        self._destination: int | None = destination
        self._log: int | None = log
        self._report: int | None = report
        self._ended = ended
        self._trouble: str | None = None
        self._received = 0
        self._deadline: float | None = None
        self._backlog_end = 0
        self._poll = select.poll()
        self._poll.register(source, select.POLLIN)
        self._poll.register(ended, select.POLLIN)

    def run(self) -> None:
        """Pass the stream on until it is closed."""
        while True:
            ready = dict(self._poll.poll(self._patience_left()))
            if self._ended in ready:
                self._notice_the_end(ready[self._ended])
            if self._patience_is_over(nothing_waits=self._source not in ready):
                self._hand_over("held")
            if self._source in ready and not self._pass_on():
                break
        self._hand_over("whole")

    def _patience_left(self) -> int | None:
        if self._deadline is None:
            return None
        return max(0, round((self._deadline - time.monotonic()) * 1000))

    def _notice_the_end(self, event: int) -> None:
        self._poll.unregister(self._ended)
        if event & select.POLLIN:
            self._deadline = time.monotonic() + PATIENCE
            self._backlog_end = self._received + BACKLOG

    def _patience_is_over(self, *, nothing_waits: bool) -> bool:
        # What waits at the deadline may be the evaluation's own, held up by a slow reader: that is waited for.
        if self._deadline is None or time.monotonic() < self._deadline:
            return False
        return nothing_waits or self._received >= self._backlog_end

    def _pass_on(self) -> bool:
        data = _read(self._source)
        self._received += len(data)
        if self._log is not None and (trouble := write_whole(self._log, data)):
            self._trouble = trouble
            self._close_log()
        if self._destination is not None and write_whole(self._destination, data):
            # The reader is gone. The evaluation is not told: it goes on, and so does its log.
            os.close(self._destination)
            self._destination = None
        return bool(data)

    def _hand_over(self, state: str) -> None:
        self._deadline = None
        self._close_log()
        if self._report is not None:
            line = "\t".join([state, self._trouble] if self._trouble else [state])
            write_whole(self._report, line.encode() + b"\n")
            os.close(self._report)
            self._report = None

    def _close_log(self) -> None:
        if self._log is None:
            return
        try:
            os.close(self._log)
        except OSError as error:
            # Network file systems and quotas may tell of a failed write only now.
            self._trouble = self._trouble or error.strerror
        self._log = None


def _close_all_but(kept: set[int]) -> None:
    # What else is open was meant for the evaluation, and its other side may wait for the last copy to be closed.
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - `pathlib` would be half the start-up time
        if int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                continue


def main(arguments: list[str]) -> None:
    """Relay one stream: the arguments are the numbers of source, destination, log, `ended` and `report`."""
    source, destination, log, ended, report = map(int, arguments)
    _close_all_but({source, destination, log, ended, report})
    Relay(source=source, destination=destination, log=log, ended=ended, report=report).run()


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # the interpreter's own farewell takes longer than all the rest
