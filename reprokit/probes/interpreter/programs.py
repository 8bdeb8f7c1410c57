"""Which file a word of a command line would execute, and which Python that file is run by."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

_PYTHON = re.compile(r"(python|pypy)[0-9.]*[td]?(\.exe)?")
_BESIDE_ITSELF = re.compile(r"""^"\$\(dirname -- "\$\(realpath -- "\$0"\)"\)"/(?P<name>'[^']+'|[^\s'"]+)""")


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
