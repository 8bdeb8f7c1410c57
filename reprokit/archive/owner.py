"""Who is making a bundle, and whether they are still at it.

A process is known by its number and the moment it started, within one boot and one process namespace of one host. One
of an earlier boot of this very machine has ended. Of any other process nothing can be said from here, and so nothing of
it is ever cleared away.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Collection
from enum import Enum
from pathlib import Path

from msgspec import Struct

_PROCESSES = Path("/proc")
_BOOT = _PROCESSES / "sys/kernel/random/boot_id"
_MACHINE = Path("/etc/machine-id")
_FIRST_NAMESPACE = "pid:[4026531836]"
"""The process namespace that the kernel starts with, under the number it always has: no container's."""
# Fields of /proc/<pid>/stat (see proc(5)), counted from behind the name, which may hold anything.
_STATE, _START = 0, 19


class Life(Enum):
    """Whether a process still runs."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


class Process(Struct, frozen=True, kw_only=True):
    """One process on one machine.

    `start` is in clock ticks since the boot, `machine` stands for the installation: null where nothing tells.
    """

    host: str
    boot: str | None
    namespace: str | None
    pid: int
    start: int | None
    machine: str | None = None


class Owner(Struct, frozen=True, kw_only=True):
    """Who made a staging folder, and the evaluation that may still write into it."""

    process: Process
    description: str
    created: str
    evaluation: Process | None = None


def _boot() -> str | None:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return None


def _machine() -> str | None:
    try:
        name = _MACHINE.read_bytes().strip()
    except OSError:
        return None
    # Its own name is to be shown to nobody (machine-id(5)).
    return hashlib.sha256(b"reprokit:" + name).hexdigest()[:32] if name else None


def _namespace() -> str | None:
    try:
        return str((_PROCESSES / "self/ns/pid").readlink())
    except OSError:
        return None


def _stat(pid: int) -> list[str] | None:
    try:
        text = (_PROCESSES / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def process(pid: int) -> Process:
    """Describe a running process of this machine by its number."""
    stat = _stat(pid)
    return Process(
        host=socket.gethostname(),
        boot=_boot(),
        namespace=_namespace(),
        pid=pid,
        start=int(stat[_START]) if stat else None,
        machine=_machine(),
    )


def life(of: Process, ended: Collection[str] = ()) -> Life:
    """Tell whether a process still runs. A zombie does not, nor does one of a host in `ended` that is unknown here."""
    seen = _seen_life(of)
    return Life.DEAD if seen is Life.UNKNOWN and of.host in ended else seen


def _seen_life(of: Process) -> Life:
    here = (socket.gethostname(), _boot(), _namespace())
    if (of.host, of.boot, of.namespace) != here:
        return Life.DEAD if _is_of_an_earlier_boot(of) else Life.UNKNOWN
    stat = _stat(of.pid)
    if stat is None:
        return _life_without_proc(of.pid)
    if stat[_STATE] in "ZX":
        return Life.DEAD
    if of.start is None:
        return Life.UNKNOWN
    return Life.ALIVE if int(stat[_START]) == of.start else Life.DEAD


def _is_of_an_earlier_boot(of: Process) -> bool:
    """Tell whether a process ran on this machine before it was started again.

    The name of a host does not say so: containers on two machines may bear one name, as may two machines. So neither
    may be in a container, and the installation must be the same, too.
    """
    outside = _FIRST_NAMESPACE == of.namespace == _namespace()
    same = of.host == socket.gethostname() and of.machine is not None and of.machine == _machine()
    boot = _boot()
    return outside and same and None not in (of.boot, boot) and of.boot != boot


def _life_without_proc(pid: int) -> Life:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return Life.DEAD
    except OSError:
        # Another user's process, hidden from this one (`hidepid`).
        return Life.UNKNOWN
    return Life.UNKNOWN


def is_gone(owner: Owner, ended: Collection[str] = ()) -> bool:
    """Tell whether both the process and its evaluation are known to have ended."""
    processes = [owner.process, *([owner.evaluation] if owner.evaluation else [])]
    return all(life(each, ended) is Life.DEAD for each in processes)
