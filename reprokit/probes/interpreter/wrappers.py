"""Looking through the programs that only start another one: `uv run`, `srun`, `timeout`, `env`, a shell script.

Only what is sure is said: where a program sets up an environment of its own on the way (a script that activates one,
`conda run`, a container), the Python that ran is unknown.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from reprokit.bundle.bag import open_regular
from reprokit.bundle.values import Unknown
from reprokit.probes.interpreter.programs import behind, locate

_PREFIXES = frozenset({
    "chrt", "env", "ionice", "mpiexec", "mpirun", "nice", "nohup", "numactl", "setsid", "srun", "stdbuf", "taskset",
    "time", "timeout",
})  # fmt: skip
"""Programs that run the command after their own words in the environment they have."""
_SHELLS = frozenset({"bash", "dash", "ksh", "sh", "zsh"})
_NEW_PATH = re.compile(
    r"(^|[;&|(\s])(source|\.|module|ml|eval|conda|mamba|micromamba|spack)\s|activate|(^|[;&\s])(export\s+)?PATH="
)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_KEYWORDS = frozenset({"!", "do", "else", "exec", "if", "then", "time", "until", "while", "{", "("})
_LONGEST_SCRIPT = 1 << 20
_DEEPEST = 8


def interpreter_of(
    argv: Sequence[str], environ: Mapping[str, str], directory: Path, *, depth: int = 0
) -> Path | Unknown:
    """Find the Python that a command line would run in a directory, without running anything."""
    if not argv:
        return Unknown(unknown="there is no command")
    program = locate(argv[0], environ, directory)
    if program is None:
        return Unknown(unknown=f"`{argv[0]}` is not found")
    interpreter = behind(program, environ, directory)
    if interpreter is not None:
        return interpreter
    found = _looked_through(program, argv, environ, directory, depth) if depth < _DEEPEST else None
    return found or Unknown(unknown=f"`{argv[0]}` is not a Python program")


def _looked_through(
    program: Path, argv: Sequence[str], environ: Mapping[str, str], directory: Path, depth: int
) -> Path | Unknown | None:
    """Find the Python behind a program that only starts another; `None` where it is none that is known to."""
    name = Path(argv[0]).name
    if name in _PREFIXES:
        if name == "env" and {"-i", "-", "--ignore-environment"} & set(argv[1:]):
            return Unknown(unknown="`env` clears the environment")
        return _of_inner(argv[1:], environ, directory, depth)
    if name == "uv" and "run" in argv:
        return _of_uv(argv[argv.index("run") + 1 :], environ, directory)
    script = _script(program, argv, environ, directory)
    return None if script is None else _of_script(script, environ, directory, depth)


def _of_inner(words: Sequence[str], environ: Mapping[str, str], directory: Path, depth: int) -> Path | Unknown:
    """Take the first word that is a program for the start of the inner command line; numbers and options are none."""
    for index, word in enumerate(words):
        if word.startswith("-") or _ASSIGNMENT.fullmatch(word):
            continue
        if locate(word, environ, directory) is not None:
            return interpreter_of(words[index:], environ, directory, depth=depth + 1)
    return Unknown(unknown="the command that it starts is not found")


def _of_uv(words: Sequence[str], environ: Mapping[str, str], directory: Path) -> Path | Unknown:
    """Find the environment that `uv run` uses: the one that is named, else that of the project."""
    named = _value_of(words, "--python", "-p")
    if any(word.split("=")[0] in {"--with", "--with-editable", "--with-requirements", "--isolated"} for word in words):
        return Unknown(unknown="`uv run` makes an environment of its own, which is gone")
    if named is not None and "--no-project" in words:
        place = directory / named
        return _python_in(place) if place.is_dir() else _executable(place)
    start = directory / (_value_of(words, "--project") or _value_of(words, "--directory") or ".")
    chosen = environ.get("UV_PROJECT_ENVIRONMENT", ".venv")
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / "pyproject.toml").is_file():
            return _python_in(folder / chosen)
    return Unknown(unknown="`uv run` is in no project")


def _value_of(words: Sequence[str], *names: str) -> str | None:
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names:
            return value if equals else next(iter(words[index + 1 : index + 2]), None)
    return None


def _python_in(environment: Path) -> Path | Unknown:
    return _executable(environment / "bin" / "python")


def _executable(file: Path) -> Path | Unknown:
    there = file.is_file() and os.access(file, os.X_OK)
    return file if there else Unknown(unknown=f"`{file}` is not there")


def _script(program: Path, argv: Sequence[str], environ: Mapping[str, str], directory: Path) -> str | None:
    """Read the shell script that a command line runs: `bash x.sh`, `bash -c TEXT` or `./x.sh`."""
    if program.name not in _SHELLS:
        return _text(program) if _is_shell_script(program, environ, directory) else None
    words = list(argv[1:])
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if not option.startswith("--") and option.endswith("c"):
            return words[0] if words else None
    return _text(directory / words[0]) if words else None


def _is_shell_script(program: Path, environ: Mapping[str, str], directory: Path) -> bool:
    first = (_text(program) or "").split("\n", 1)[0]
    words = first[2:].split() if first.startswith("#!") else []
    named = [Path(word).name for word in words if not word.startswith("-")]
    return bool({*named[:2]} & _SHELLS) and locate(words[0], environ, directory) is not None


def _text(file: Path) -> str | None:
    try:
        with open_regular(file.resolve()) as stream:
            return stream.read(_LONGEST_SCRIPT).decode("utf-8", errors="replace")
    except OSError:
        return None


def _of_script(script: str, environ: Mapping[str, str], directory: Path, depth: int) -> Path | Unknown | None:
    """Find the first Python program that a script starts, in a script that does not change where programs are found."""
    for words in _commands(script):
        if words is None:
            return Unknown(unknown="the script sets up an environment of its own")
        found = interpreter_of(words, environ, directory, depth=depth + 1)
        if not isinstance(found, Unknown):
            return found
    return None


def _commands(script: str) -> Iterator[list[str] | None]:
    """List a script's simple commands, in order; `None` where one changes where programs are found."""
    for line in script.replace("\\\n", " ").splitlines():
        code = line.strip()
        if not code or code.startswith("#"):
            continue
        if _NEW_PATH.search(code):
            yield None
        try:
            words = shlex.split(code, comments=True)
        except ValueError:
            continue
        while words and (words[0] in _KEYWORDS or _ASSIGNMENT.fullmatch(words[0])):
            words = words[1:]
        if words:
            yield words
