"""Where in a command line a harness is started, and which place it is told to write to.

The rule, in full. The first word has to be the harness, a Python or a known launcher. A Python leads to its script or
its `-m` module. A launcher leads to the first word after it that is the harness, a Python or another launcher; what
stands before that word has to be the launcher's own: options, numbers, `NAME=value`, `run`, `launch` and the like. A
word right after an option is taken for the option's value unless it is one of the three, and always after an option
that is known to take a name, such as `srun --job-name`. Anything else ends the search: no argument of another program
counts. What a shell is told by `-c` is not looked into.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from reprokit.bundle.record import Output

# fmt: off
_LAUNCHERS = frozenset({
    "accelerate", "accelerate.commands.launch", "cProfile", "chrt", "conda", "coverage", "debugpy", "deepspeed", "env",
    "hatch", "ionice", "mamba", "micromamba", "mpiexec", "mpirun", "nice", "nohup", "nsys", "numactl", "pdb", "pdm",
    "pipx", "pixi", "poetry", "rye", "setsid", "srun", "stdbuf", "sudo", "taskset", "time", "timeout",
    "torch.distributed.launch", "torch.distributed.run", "torchrun", "uv", "uvx",
})
_TAKES_A_NAME = frozenset({
    "--chdir", "--comment", "--directory", "--env", "--extra", "--from", "--group", "--job-name", "--name", "--package",
    "--prefix", "--project", "--python", "--unset", "--with", "--with-editable", "-C", "-D", "-J", "-n", "-p",
})
# fmt: on
_OWN_WORD = re.compile(r"run|launch|exec|tool|profile|\d[\w.:,-]*|[A-Za-z_]\w*=.*", re.DOTALL)
_PYTHON = re.compile(r"(python|pypy)[\d.]*(\.exe)?")
_PYTHON_OPTIONS_WITH_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})


def start_of(argv: Sequence[str], names: frozenset[str]) -> int | None:
    """Find the word that starts a harness.

    Args:
        argv: a command line, word by word.
        names: what the harness is called: console scripts, modules and its package's folder.

    Returns:
        The index of the word in `argv`, or `None` when the command line does not start the harness.
    """
    index = 0
    while index < len(argv):
        word = argv[index]
        if _is_named(word, names):
            return index
        name = PurePosixPath(word).name
        if _PYTHON.fullmatch(name):
            following = _after_python(argv, index + 1)
        elif name in _LAUNCHERS:
            following = _after_launcher(argv, index + 1, names)
        else:
            return None
        if following is None:
            return None
        index = following
    return None


def output_place(argv: Sequence[str], start: int, *, short: str | None = None) -> Output | None:
    """Find the place that `--output_path` names, the last one given, as argparse reads it.

    The flag may be shortened, as argparse allows: down to its first five characters.

    Args:
        argv: a command line, word by word.
        start: the index of the word that starts the harness; words before it are not the harness's.
        short: the one-letter flag, when the harness has one.
    """
    found: Output | None = None
    index = start + 1
    while index < len(argv):
        name, equals, value = argv[index].partition("=")
        long = "--output_path".startswith(name) and len(name) >= len("--out")
        if (long or name == short) and equals:
            found = Output(path=value, argument=index, prefix=name + "=")
        elif long or name == short:
            index += 1
            found = Output(path=argv[index], argument=index) if index < len(argv) else found
        elif short is not None and argv[index].startswith(short):
            found = Output(path=argv[index].removeprefix(short), argument=index, prefix=short)
        index += 1
    return found if found is not None and found.path else None


def _is_named(word: str, names: frozenset[str]) -> bool:
    path = PurePosixPath(word)
    return path.name.removesuffix(".exe") in names or (path.name == "__main__.py" and path.parent.name in names)


def _after_python(argv: Sequence[str], index: int) -> int | None:
    while index < len(argv):
        word = argv[index]
        if re.fullmatch(r"-[A-Za-z]*m", word):
            return index + 1
        if word == "-c":
            return None
        if not word.startswith("-"):
            return index
        index += 2 if word in _PYTHON_OPTIONS_WITH_VALUE else 1
    return None


def _after_launcher(argv: Sequence[str], index: int, names: frozenset[str]) -> int | None:
    after_option = False
    while index < len(argv):
        word = argv[index]
        if word in {"-m", "--module"}:
            return index + 1
        if word.startswith("-"):
            index += word in _TAKES_A_NAME
            after_option = word not in _TAKES_A_NAME and word != "--" and "=" not in word
        elif _starts_something(word, names):
            return index
        elif word.endswith(".py") or not (after_option or _OWN_WORD.fullmatch(word)):
            return None
        else:
            after_option = False
        index += 1
    return None


def _starts_something(word: str, names: frozenset[str]) -> bool:
    name = PurePosixPath(word).name
    return _is_named(word, names) or name in _LAUNCHERS or _PYTHON.fullmatch(name) is not None
