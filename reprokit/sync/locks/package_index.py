"""Asking package indexes for the digests of pinned packages, through `uv`, which knows how to reach them.

Which indexes those are says the person's own configuration: uv's variables and user settings, or pip's variables where
uv has none. Nothing is installed, downloaded or built: only what indexes list is read.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reprokit.errors import InputMissingError, RemoteError
from reprokit.package_indexes import ADDRESS, NO_ANSWER, PINNED, find_uv, in_words_of_uv

_ASK = (
    *("pip", "compile", "--no-deps", "--generate-hashes", "--no-annotate", "--no-header", "--no-emit-index-url"),
    *("--no-emit-find-links", "--universal", "--no-build", "--no-python-downloads"),
)
_DIGEST = re.compile(r"--hash=(sha256:[0-9a-f]{64})\b")
_PATIENCE = 600.0
_LONGEST_REASON = 200
_REASONS = (
    (re.compile(r"was not found in"), "the index does not know it"),
    (re.compile(r"there is no version of"), "the index has no such version"),
    (re.compile(r"no usable wheels|Wheels are required"), "it has no wheel"),
)
_OFFENDING = re.compile(r"cause: Because (?:there is no version of )?(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)")


@dataclass(frozen=True, order=True)
class Pin:
    """One package at one version."""

    name: str
    version: str

    def __str__(self) -> str:
        """Write it as a requirement."""
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why there is no digest of a package. `passing` is what may be otherwise soon."""

    reason: str
    passing: bool = False


Answer = tuple[str, ...] | Refusal
"""The digests of a package's files (`sha256:…`), or why there are none."""


class UnreachableError(RemoteError):
    """No index answers."""


class PackageIndex:
    """The indexes that the person's configuration names, and what they have answered so far.

    Args:
        environ: the environment variables to ask with.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = _variables(environ)
        self._known: dict[Pin, Answer] = {}
        self._has_answered = False

    def ask(self, pins: Sequence[Pin]) -> dict[Pin, Answer]:
        """Ask for the digests of some packages; what was asked before is not asked again.

        One package that the index does not have keeps no other from its digests.

        Raises:
            UnreachableError: no index answers. What was learnt until then is kept.
            InputMissingError: there is no uv.
        """
        asked = sorted({pin for pin in pins if pin not in self._known})
        if asked:
            uv = find_uv(self._environ)
            if uv is None:
                raise InputMissingError("uv is not installed, and asking a package index needs it", hint="install uv")
            with tempfile.TemporaryDirectory(prefix="reprokit-index-") as folder:
                self._ask(uv, asked, Path(folder))
        return {pin: self._known[pin] for pin in pins}

    def _ask(self, uv: Path, pins: Sequence[Pin], folder: Path) -> None:
        left = list(pins)
        while left:
            done = self._compile(uv, left, folder)
            if done.returncode == 0:
                self._learn(done, left)
                return
            if len(left) == 1 and not self._has_answered:
                raise _unreachable(done)
            # uv stops at the first that cannot be had, and mostly says which that is.
            offending = left[0] if len(left) == 1 else _offending(done, left)
            if offending is None:
                if done.returncode == NO_ANSWER:
                    self._require_answer(uv, left, folder)
                self._ask(uv, left[: len(left) // 2], folder)
                self._ask(uv, left[len(left) // 2 :], folder)
                return
            self._known[offending] = _refusal(done)
            left.remove(offending)

    def _learn(self, done: subprocess.CompletedProcess[str], pins: Sequence[Pin]) -> None:
        digests = _digests(done.stdout)
        for pin in pins:
            found = digests.get(_normal(pin.name))
            self._known[pin] = found or Refusal(reason="the index gives no digest of it")

    def _require_answer(self, uv: Path, pins: Sequence[Pin], folder: Path) -> None:
        """Tell an index that is out of reach from one that fails for some package, by asking for two of them."""
        first, last = (self._compile(uv, [pin], folder) for pin in (pins[0], pins[-1]))
        if first.returncode == last.returncode == NO_ANSWER:
            raise _unreachable(first)

    def _compile(self, uv: Path, pins: Sequence[Pin], folder: Path) -> subprocess.CompletedProcess[str]:
        wanted = folder / "wanted.in"
        wanted.write_text("".join(f"{pin}\n" for pin in pins), encoding="utf-8")
        words = [str(uv), "--quiet", "--no-progress", *_ASK, str(wanted)]
        try:
            done = subprocess.run(
                words,
                cwd=folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(words, NO_ANSWER, "", f"uv was silent for {_PATIENCE:g} s")
        self._has_answered = self._has_answered or done.returncode != NO_ANSWER
        return done


def _unreachable(done: subprocess.CompletedProcess[str]) -> UnreachableError:
    return UnreachableError(f"no package index answers: {_scrubbed(done.stderr)}")


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    named = in_words_of_uv(environ)
    # An active environment would redirect uv.
    own = {name: value for name, value in named.items() if name not in {"VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT"}}
    return {"UV_HTTP_RETRIES": "1", **own}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _digests(compiled: str) -> dict[str, tuple[str, ...]]:
    """Read what uv compiled: a line per package, its digests on lines behind it."""
    found: dict[str, tuple[str, ...]] = {}
    name: str | None = None
    for line in compiled.splitlines():
        if match := PINNED.match(line):
            name = _normal(match["name"])
        if name is not None:
            found[name] = (*found.get(name, ()), *_DIGEST.findall(line))
    return {each: tuple(sorted(digests)) for each, digests in found.items()}


def _offending(done: subprocess.CompletedProcess[str], pins: Sequence[Pin]) -> Pin | None:
    """Find the one package that uv says cannot be had; `None` when it names none of these."""
    match = _OFFENDING.search(done.stderr) if done.returncode != NO_ANSWER else None
    name = _normal(match["name"]) if match else ""
    return next((pin for pin in pins if _normal(pin.name) == name), None)


def _refusal(done: subprocess.CompletedProcess[str]) -> Refusal:
    if done.returncode == NO_ANSWER:
        return Refusal(reason=f"the index could not be asked: {_scrubbed(done.stderr)}", passing=True)
    known = (reason for pattern, reason in _REASONS if pattern.search(done.stderr))
    return Refusal(reason=next(known, _scrubbed(done.stderr)))


def _scrubbed(said: str) -> str:
    """Give the gist of what uv said, without an address: it may be a lab's own, and hold a password."""
    lines = [line.strip().removeprefix("error: ").removeprefix("cause: ") for line in said.splitlines() if line.strip()]
    told = [line for line in lines if not ADDRESS.search(line)]
    return (told[-1] if told else "it gave no reason")[:_LONGEST_REASON]
