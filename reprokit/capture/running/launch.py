"""Starting a command exactly as asked: this argv, this environment, no shell, and a clear word when it cannot be.

A command is spawned rather than forked: it starts with the signal mask and the default actions that a shell would give
it, whatever threads reprokit has, and a failure to execute it is known at once.
"""

from __future__ import annotations

import errno
import os
import signal
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from reprokit.errors import CannotStartError

_SHEBANG_LIMIT = 256


def spawn(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    directory: Path | None,
    descriptors: Mapping[int, int],
    mask: frozenset[int],
) -> int:
    """Start a command and return its process id.

    `descriptors` gives what some of its descriptors are to be copies of, `mask` the signals that are to be blocked in
    it. While a `directory` is given, that is for an instant the directory of the whole calling process.

    Raises:
        CannotStartError: it could not be executed; nothing ran.
    """
    if not argv or not argv[0]:
        raise CannotStartError("no command was given", hint="put it after `--`: `reprokit capture -- lm_eval …`")
    copies = [(os.POSIX_SPAWN_DUP2, ours, theirs) for theirs, ours in descriptors.items()]
    with _entered(directory):
        program = _find(argv[0], environment)
        try:
            return os.posix_spawn(
                program,
                list(argv),
                dict(environment),
                file_actions=copies,
                setsigmask=mask,
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # the two that Python ignores for itself
            )
        except ValueError as error:
            raise CannotStartError(f"`{argv[0]}` cannot be started: {error}") from error
        except OSError as error:
            raise _refusal(argv[0], program, error) from error


@contextmanager
def _entered(directory: Path | None) -> Iterator[None]:
    if directory is None:
        yield
        return
    here = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
    try:
        try:
            os.chdir(directory)
        except OSError as error:
            raise CannotStartError(
                f"the working directory `{directory}` cannot be entered: {error.strerror}"
            ) from error
        yield
    finally:
        os.fchdir(here)
        os.close(here)


def _find(name: str, environment: Mapping[str, str]) -> str:
    """Find the file that a shell would execute for this name."""
    if os.sep in name:
        return name
    candidates = [os.path.join(folder, name) for folder in os.get_exec_path(dict(environment))]  # noqa: PTH118 - "" is "."
    files = [path for path in candidates if _is_file(path)]
    for path in files:
        if os.access(path, os.X_OK):
            return path
    if files:
        return files[0]
    raise CannotStartError(f"`{name}` was not found on `PATH`", hint="is its environment active?")


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - paths stay text, as execve takes them
    except (OSError, ValueError):
        return False


def _refusal(name: str, program: str, error: OSError) -> CannotStartError:
    path = Path(program)
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR if path.is_file() and (interpreter := _interpreter(path)):
            return CannotStartError(
                f"`{name}` asks for an interpreter that does not exist: `{interpreter}`",
                hint="was its environment moved or removed?",
            )
        case errno.ENOENT | errno.ENOTDIR:
            return CannotStartError(f"`{name}` does not exist")
        case errno.EACCES if path.is_dir():
            return CannotStartError(f"`{name}` is a directory")
        case errno.EACCES:
            return CannotStartError(
                f"`{name}` is not executable", hint=f"`chmod +x {program}`, or name its interpreter"
            )
        case errno.ENOEXEC:
            return CannotStartError(
                f"`{name}` is no program and names no interpreter", hint=f"name it: `bash {program}`"
            )
        case _:
            return CannotStartError(f"`{name}` cannot be started: {error.strerror}")


def _interpreter(path: Path) -> str | None:
    """Read the interpreter that a script's first line names."""
    try:
        with path.open("rb") as file:
            first = file.readline(_SHEBANG_LIMIT)
    except OSError:
        return None
    return os.fsdecode(first[2:].split()[0]) if first.startswith(b"#!") and first[2:].split() else None
