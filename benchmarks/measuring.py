"""Timing one way of doing a thing against another, in turns, so that a busy moment hits both."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPROKIT = (sys.executable, "-m", "reprokit")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measurement: `value` is held to be at most `target`, or at least when `at_least`.

    `value` is a ratio of ours to the peer's unless `unit` names another measure.
    """

    work: str
    peer: str
    value: float
    target: float
    at_least: bool = False
    unit: str = "x"
    note: str = ""

    @property
    def met(self) -> bool:
        """Whether the target is reached."""
        return self.value >= self.target if self.at_least else self.value <= self.target


def in_turns(
    ways: Mapping[str, Callable[[], object]], *, repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Run each way `repeats` times, in turns; gives the fastest time of each in seconds.

    The fastest is what the work costs; what others do on the machine at the same time only adds to it.
    """
    fastest = dict.fromkeys(ways, float("inf"))
    for _ in range(repeats):
        for name, way in ways.items():
            before = clock()
            way()
            fastest[name] = min(fastest[name], clock() - before)
    return fastest


def cpu_of_children() -> float:
    """Give the CPU seconds of all children that have ended: a clock for programs on a busy machine."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(
    argv: Sequence[str | Path], *, directory: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """Run a program to its end and give what it printed.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    done = subprocess.run(
        [str(word) for word in argv],
        cwd=directory,
        env=dict(environment) if environment is not None else None,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        done.check_returncode()
    return done.stdout


_ALONE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""
_UNIT = 1 if sys.platform == "darwin" else 1024


def peak_memory(argv: Sequence[str | Path], *, environment: Mapping[str, str]) -> int:
    """Run a program and give the most memory in bytes that it, or one of its children, had at once."""
    return int(run([sys.executable, "-c", _ALONE, *argv], environment=environment)) * _UNIT


def environment(home: Path, **more: str) -> dict[str, str]:
    """Give the variables for a program: a home of its own, our tools on `PATH`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REPROKIT", "XDG_", "GIT_"))}
    tools = f"{Path(sys.executable).parent}:{kept['PATH']}"
    names = dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "bench")
    mails = dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "bench@example.invalid")
    return kept | {"HOME": str(home), "PATH": tools} | names | mails | more
