"""Signals while an evaluation runs: which are its own, which are passed on, and that none of them ends us.

The evaluation stays in our process group, so what the terminal sends (Ctrl-C, Ctrl-Z, a new window size) reaches it
without us. What a process sends to us alone is passed on. The two are told apart by the origin the kernel gives with
the signal, which is why signals are blocked and fetched rather than handled. What a process sends to every process of
the group, at once or one by one, as SLURM does, has reached the evaluation too: a `Witness` tells that.

Where the system cannot give the origin (macOS), what a key can send (SIGINT, SIGQUIT, SIGTSTP) is taken to come from
the terminal when there is one, and everything else from a process.
"""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from reprokit import clock
from reprokit.capture.running.witness import Witness

_NAMED = (
    "SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCONT", "SIGTSTP", "SIGWINCH",
)  # fmt: skip
_FROM_KEYS = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP})
_INTERRUPTS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT})
_FALLBACK_WAKE_UP = 1.0
_POLL = 0.02


@dataclass(frozen=True, kw_only=True)
class Held:
    """The signals that are kept from us, and the mask that was in force before."""

    signals: frozenset[int]
    before: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class StopRequest:
    """A signal that asked the evaluation to end while it ran: its name, and when it came (UTC).

    `by_process` is false for what the keys of a terminal send.
    """

    signal: str
    time: str
    by_process: bool


@dataclass(frozen=True, kw_only=True)
class Over:
    """How a child ended: its wait status, the resources its tree used, and who asked it to end while it ran."""

    status: int
    usage: resource.struct_rusage
    asked: tuple[StopRequest, ...]


@dataclass(frozen=True, kw_only=True)
class _Caught:
    number: int
    by_process: bool


def hold() -> Held:
    """Block every signal that a user or a batch system sends on purpose, and SIGCHLD; leave ignored ones ignored."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if in_main_thread and signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        # With SIGCHLD ignored the kernel throws the exit status away before anybody can ask for it.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    named = {getattr(signal, name) for name in _NAMED}
    real_time = set(range(signal.SIGRTMIN, signal.SIGRTMAX + 1)) if hasattr(signal, "SIGRTMIN") else set()
    wanted = {number for number in named | real_time if signal.getsignal(number) != signal.SIG_IGN}
    held = frozenset(int(number) for number in wanted) | {int(signal.SIGCHLD)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    return Held(signals=held, before=frozenset(int(number) for number in before))


def let_through(held: Held) -> None:
    """Let what has arrived so far take its ordinary course, then block again."""
    release(held)
    signal.pthread_sigmask(signal.SIG_BLOCK, held.signals)


def release(held: Held) -> None:
    """Put the mask back to what it was."""
    signal.pthread_sigmask(signal.SIG_SETMASK, held.before)


def interrupted(held: Held) -> bool:
    """Tell whether somebody asked us to stop meanwhile, and take that request off the queue."""
    asked = False
    while caught := _next(held, 0):
        asked = asked or caught.number in _INTERRUPTS
    return asked


def wait_for(child: int, held: Held, resize: Callable[[], None]) -> Over:
    """Wait until the child is over, passing signals on.

    `resize` is called when the window's size changed, before the child is told.
    """
    watch = _Watch(child=child, resize=resize)
    try:
        return _wait_for(child, held, watch)
    finally:
        watch.witness.stop()


def _wait_for(child: int, held: Held, watch: _Watch) -> Over:
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
        if pid and (os.WIFEXITED(status) or os.WIFSIGNALED(status)):
            # What came while it ran was meant for it, and must not hit what we do next.
            while left := _next(held, 0):
                watch.note(left)
            return Over(status=status, usage=usage, asked=tuple(watch.asked))
        if pid:
            watch.notice(status)
        elif caught := _next(held, _FALLBACK_WAKE_UP):
            watch.take(caught)


class _Watch:
    """What is known of the child's job state, and what is done about a signal."""

    def __init__(self, *, child: int, resize: Callable[[], None]) -> None:
        self._child = child
        self._resize = resize
        self._stopped = False
        self._asked_to_stop = False
        self._is_leader = os.getsid(0) == os.getpid()
        self.asked: list[StopRequest] = []
        self.witness = Witness()

    def note(self, caught: _Caught) -> None:
        """Note a request to end."""
        if caught.number in _INTERRUPTS:
            request = StopRequest(
                signal=name_of(caught.number), time=clock.text(clock.now()), by_process=caught.by_process
            )
            self.asked.append(request)

    def notice(self, status: int) -> None:
        """Note that the child has stopped or goes on."""
        self._stopped = os.WIFSTOPPED(status)
        self._stop_with_the_child()

    def _stop_with_the_child(self) -> None:
        # So that a shell sees its job stop on Ctrl-Z, but only then: not when a debugger stops the evaluation alone.
        if not (self._stopped and self._asked_to_stop):
            return
        self._asked_to_stop = False
        if signal.SIGCONT not in signal.sigpending():
            os.kill(os.getpid(), signal.SIGTSTP)
            mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def take(self, caught: _Caught) -> None:
        """Pass a signal on when the child has not had it."""
        self.note(caught)
        match caught.number:
            case signal.SIGCHLD:
                return
            case signal.SIGWINCH:
                # Told again after the size is set: the terminal told it before.
                self._resize()
                self._send(caught.number)
            case signal.SIGCONT:
                self._asked_to_stop = False
                if self._stopped:
                    self._send(caught.number)
            case _:
                # A hang-up is told to the leader of the session alone.
                told_to_us = caught.by_process and not self._has_reached_the_child(caught.number)
                if told_to_us or (caught.number == signal.SIGHUP and self._is_leader and not caught.by_process):
                    self._send(caught.number)
                if caught.number == signal.SIGTSTP:
                    self._asked_to_stop = True
                    self._stop_with_the_child()

    def _has_reached_the_child(self, number: int) -> bool:
        try:
            # One that has left our group may have been passed over: twice is better than not at all.
            return os.getpgid(self._child) == os.getpgid(0) and self.witness.has_had(number)
        except OSError:
            return False

    def _send(self, number: int) -> None:
        try:
            os.kill(self._child, number)
        except PermissionError:
            # The evaluation runs as somebody else (sudo); the sender could not have reached it either.
            return


def _next(held: Held, seconds: float) -> _Caught | None:
    if hasattr(signal, "sigtimedwait"):
        found = signal.sigtimedwait(held.signals, seconds)
        return _Caught(number=found.si_signo, by_process=found.si_code <= 0) if found else None
    return _next_without_origin(held, seconds)


def _next_without_origin(held: Held, seconds: float) -> _Caught | None:
    waiting = signal.sigpending() & held.signals
    if waiting:
        number = signal.sigwait(waiting)
        return _Caught(number=number, by_process=number not in _FROM_KEYS or not os.isatty(0))
    time.sleep(min(seconds, _POLL))
    return None


def name_of(number: int) -> str:
    """Name a signal: `SIGTERM`; `SIG35` for one that has no name here."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def number_of(name: str) -> int:
    """Give the number of a signal that `name_of` named."""
    digits = name.removeprefix("SIG")
    return int(digits) if digits.isdecimal() else int(signal.Signals[name])
