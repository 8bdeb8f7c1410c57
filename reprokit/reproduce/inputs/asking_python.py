"""Running one of the programs of `within/` by another Python: what it is given, what it must not see, what it says."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from reprokit import child_process
from reprokit.bundle.values import Json
from reprokit.errors import InputMissingError

Program: TypeAlias = Literal["fetching", "building"]

_NOT_INSTALLED = 3
_LONGEST = 400
_NEEDED = (
    *("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PYENV_ROOT", "PYENV_VERSION"),
)
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


class Answer(Struct, frozen=True, kw_only=True):
    """What a program said: nothing when all went well, else the names of its exception's classes, and the message."""

    error: list[str] = []
    said: str = ""
    place: str | None = None

    @property
    def reason(self) -> str:
        """What went wrong, in a line."""
        lines = [line.strip() for line in self.said.splitlines() if line.strip()]
        told = lines[0] if lines else "no reason given"
        return f"{self.error[0]}: {told}"[:_LONGEST] if self.error else ""


def needed(environ: Mapping[str, str]) -> dict[str, str]:
    """Give the variables that any program needs on this machine: none is a secret, or names a place of the user's.

    A proxy that takes a password is none of them.
    """
    kept = {name: environ[name] for name in _NEEDED if name in environ}
    return kept | {name: environ[name] for name in _PROXIES if "@" not in environ.get(name, "@")}


def ask(
    python: Sequence[str], program: Program, question: dict[str, Json], *, environ: Mapping[str, str], directory: Path
) -> Answer | None:
    """Let a Python run a program; `None` when it does not have the library that the program needs.

    Args:
        python: how that Python is started.
        program: the program of `within/`.
        question: what it is asked.
        environ: all the variables it gets.
        directory: where it runs.

    Raises:
        InputMissingError: that Python cannot be started, or came to grief.
    """
    file = Path(__file__).with_name("within") / f"{program}.py"
    try:
        # `-I`: neither the user's site nor the present directory has a say in what is imported.
        done = child_process.run(
            [*python, "-I", os.fspath(file)],
            directory=directory,
            environment=environ,
            stdin=json.dumps(question).encode(),
            timeout=None,
        )
    except OSError as error:
        raise InputMissingError(f"`{python[0]}` cannot be started: {error.strerror}") from error
    if done.status == _NOT_INSTALLED:
        return None
    written = done.out.decode(errors="replace").strip().rpartition("\n")[2]
    answer = _answer(written) if done.status == 0 else None
    if answer is None:
        raise InputMissingError(f"`{python[0]}` ended with {done.status}: {_last_words(done.said)}")
    return answer


def _last_words(said: bytes) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("hint:")]
    return told[-1][:_LONGEST] if told else "it said nothing"


def _answer(written: str) -> Answer | None:
    try:
        return msgspec.json.decode(written, type=Answer)
    except msgspec.DecodeError:
        return None
