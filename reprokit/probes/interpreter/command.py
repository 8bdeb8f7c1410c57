"""The interpreter behind a command, for when no probe ran in it: found in the file the command names, then asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from reprokit.bundle import canonical
from reprokit.bundle.values import Unknown
from reprokit.probes.interpreter import DIRECTORY_VARIABLE, ProcessFacts, process, python_path
from reprokit.probes.interpreter.wrappers import interpreter_of

PATIENCE = 20.0
"""Seconds an interpreter is given to answer."""

_QUESTION = """
import json, os, platform, site, socket, sys, time
own = sys.prefix == sys.base_prefix and not os.environ.get("PYTHONNOUSERSITE")
print()
print(json.dumps({
    "probe": 1, "host": socket.gethostname(), "pid": os.getpid(), "ppid": os.getppid(), "started": time.time(),
    "executable": sys.executable or "", "version": platform.python_version(),
    "implementation": sys.implementation.name, "prefix": sys.prefix, "base_prefix": sys.base_prefix,
    "path": [each for each in sys.path if each] + ([site.getusersitepackages()] if own else []),
}))
"""


def ask(argv: Sequence[str], environ: Mapping[str, str], directory: Path) -> ProcessFacts | Unknown:
    """Learn what can be learnt of the Python that a command line would run, without running the command.

    `directory` is where the command was started. The interpreter is run isolated (`-I`), so that nothing in that
    directory is imported; what `PYTHONPATH` adds is then put in front.
    """
    interpreter = interpreter_of(argv, environ, directory)
    if isinstance(interpreter, Unknown):
        return interpreter
    answer = _answer(interpreter, environ, directory)
    if isinstance(answer, Unknown):
        return answer
    try:
        facts = process(canonical.decode_loosely(answer.rpartition("\n")[2]))
    except ValueError:
        return Unknown(unknown=f"`{interpreter}` does not answer as a Python does")
    added = tuple(str(directory / entry) for entry in python_path(environ).split(os.pathsep) if entry)
    return msgspec.structs.replace(facts, argv=tuple(argv), directory=str(directory), path=added + facts.path)


def _answer(interpreter: Path, environ: Mapping[str, str], directory: Path) -> str | Unknown:
    unwatched = {name: value for name, value in environ.items() if name != DIRECTORY_VARIABLE}
    try:
        done = subprocess.run(
            [str(interpreter), "-I", "-c", _QUESTION],
            env=unwatched,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Unknown(unknown=f"`{interpreter}` did not answer in time")
    except OSError as error:
        return Unknown(unknown=f"`{interpreter}` could not be run: {error.strerror}")
    if done.returncode != 0:
        return Unknown(unknown=f"`{interpreter}` could not be asked: it ended with status {done.returncode}")
    return done.stdout.decode("utf-8", errors="replace").rstrip()
