"""The interpreter behind a command, for when no probe ran in it: found in the file the command names, then asked."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from reprokit.bundle import canonical
from reprokit.bundle.values import Unknown
from reprokit.probes.interpreter import DIRECTORY_VARIABLE, ProcessFacts, process, python_path

PATIENCE = 20.0
"""Seconds an interpreter is given to answer."""

_PYTHON = re.compile(r"(python|pypy)[0-9.]*[td]?(\.exe)?")
_BESIDE_ITSELF = re.compile(r"""^"\$\(dirname -- "\$\(realpath -- "\$0"\)"\)"/(?P<name>'[^']+'|[^\s'"]+)""")
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
    if not argv:
        return Unknown(unknown="there is no command")
    program = locate(argv[0], environ, directory)
    if program is None:
        return Unknown(unknown=f"`{argv[0]}` is not found")
    interpreter = behind(program, environ, directory)
    if interpreter is None:
        return Unknown(unknown=f"`{argv[0]}` is not a Python program")
    answer = _answer(interpreter, environ, directory)
    if isinstance(answer, Unknown):
        return answer
    try:
        facts = process(canonical.decode_loosely(answer.rpartition("\n")[2]))
    except ValueError:
        return Unknown(unknown=f"`{interpreter}` does not answer as a Python does")
    added = tuple(str(directory / entry) for entry in python_path(environ).split(os.pathsep) if entry)
    return msgspec.structs.replace(facts, argv=tuple(argv), directory=str(directory), path=added + facts.path)


def locate(program: str, environ: Mapping[str, str], directory: Path) -> Path | None:
    """Find the file that starting `program` in `directory` would execute."""
    if os.sep in program:
        file = directory / program
        return file if file.is_file() and os.access(file, os.X_OK) else None
    entries = environ.get("PATH", os.defpath).split(os.pathsep)
    found = shutil.which(program, path=os.pathsep.join(str(directory / entry) for entry in entries))
    return Path(found) if found else None


def behind(program: Path, environ: Mapping[str, str], directory: Path) -> Path | None:
    """Find the Python behind a program: itself, or the one that the first lines of a script name."""
    if _PYTHON.fullmatch(program.name):
        return program
    try:
        with program.open("rb") as file:
            first, second, *_ = [*file.read(8192).decode("utf-8", errors="replace").splitlines(), "", ""]
    except OSError:
        return None
    if not first.startswith("#!"):
        return None
    named = _named_by(first[2:].split(), second, program)
    interpreter = locate(named, environ, directory) if named else None
    return interpreter if interpreter and _PYTHON.fullmatch(interpreter.name) else None


def _named_by(shebang: Sequence[str], second: str, program: Path) -> str | None:
    """Read the interpreter's name from a script's first line, or from its second where `sh` hands over to Python."""
    name = Path(shebang[0]).name if shebang else ""
    if name == "env":
        words = [word for word in shebang[1:] if not word.startswith("-") and "=" not in word]
        return words[0] if words else None
    if name == "sh" and second.startswith("'''exec' "):
        return _handed_over_to(second.removeprefix("'''exec' "), program)
    return shebang[0] if shebang else None


def _handed_over_to(rest: str, program: Path) -> str | None:
    """Read the interpreter from what follows `exec`: how installers write a shebang too long, or with a space in it."""
    beside = _BESIDE_ITSELF.match(rest)
    if beside:
        return str(program.resolve().parent / beside["name"].strip("'"))
    try:
        words = shlex.split(rest)
    except ValueError:
        return None
    return words[0] if words else None


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
