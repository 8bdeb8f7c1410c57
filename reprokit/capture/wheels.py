"""The wheels that an environment was installed from, fetched again, so that it can be rebuilt where no index is.

pip fetches them, for the interpreter that ran the evaluation, from where the person's settings say. Nothing is built or
run but pip. It is done when the evaluation is over, within a time, and nothing of it can fail a capture.
"""

from __future__ import annotations

import shutil
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from reprokit import child_process
from reprokit.bundle.environment import Environment, Interpreter, Package
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.values import Unknown
from reprokit.child_process import TookTooLongError
from reprokit.package_indexes import ADDRESS, in_words_of_pip
from reprokit.probes import packages

FOLDER = "environment/wheels"
PATIENCE = 1800.0
"""Seconds that all wheels together may take: some gigabytes over a slow line. What is not there by then is told."""

_TOGETHER = 32
"""How many are asked for at once: between two such calls it is seen whether somebody wants an end."""
_SUSPICIOUS = 3
"""So many that fail, when none was fetched yet, may mean that no index answers."""
_ASKING = 30.0
"""Seconds that a pip, which uv may first have to get, is given to say that it is there."""
_DEFAULT_BUILD = ("setuptools>=40.8.0",)
"""What PEP 517 has a project without `[build-system]` built with."""
_ASKED_BY_BACKEND = {"hatchling": ("editables",), "setuptools": ("wheel",)}
"""What a backend asks for only when it is run, to make an editable install."""


@dataclass(frozen=True, kw_only=True)
class Wheels:
    """The wheels that could be had, and what there is to say of the others."""

    files: tuple[Path, ...] = ()
    findings: tuple[Finding, ...] = ()


class _Over(Exception):  # noqa: N818 - no error: it leaves a fetching that has no use
    pass


@dataclass(kw_only=True)
class _Fetching:
    """A fetching under way: `pip` begins its command line, `missing` says what could not be had, and why."""

    into: Path
    stopped: Callable[[], bool]
    pip: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    missing: dict[str, str] = field(default_factory=dict)

    def each(self, requirements: Sequence[str]) -> None:
        """Fetch pinned wheels, many at once; pip stops at the first that it cannot get, and mostly says which it is."""
        for start in range(0, len(requirements), _TOGETHER):
            self._most_of(requirements[start : start + _TOGETHER], last=requirements[-1])

    def _most_of(self, requirements: Sequence[str], *, last: str) -> None:
        left = list(requirements)
        while left and (reason := self.fetch(left, "--no-deps")) is not None:
            named = left if len(left) == 1 else [each for each in left if reason.endswith(f" {each}")]
            if len(named) != 1:
                self._most_of(left[: len(left) // 2], last=last)
                self._most_of(left[len(left) // 2 :], last=last)
                return
            self.missing[named[0]] = reason
            self._require_answer(last)
            left.remove(named[0])

    def _require_answer(self, last: str) -> None:
        """Give up when all fails: an index that is out of reach is waited for each time."""
        if len(self.missing) == _SUSPICIOUS and not any(self.into.iterdir()):
            reason = self.fetch([last], "--no-deps")
            if reason is not None:
                raise _Over(reason)

    def fetch(self, requirements: Sequence[str], *flags: str) -> str | None:
        """Fetch wheels, all or none; says why not."""
        if self.stopped():
            raise _Over("it was asked to stop")
        only_wheels = ("download", "--quiet", "--no-input", "--only-binary", ":all:", "--dest", str(self.into))
        ended = child_process.run(
            [*self.pip, *only_wheels, *flags, "--", *requirements],
            directory=self.into,
            environment=self.environ,
            stdin=b"",
            timeout=None,
        )
        return None if ended.status == 0 else _last_error(ended.said)

    def so_far(self, more: str | None = None) -> Wheels:
        """Give what there is; `more` says why nothing else was fetched."""
        found = sorted(self.into.glob("*.whl")) if self.into.is_dir() else []
        files = tuple(path for path in found if zipfile.is_zipfile(path))  # one that was cut short is none
        told = [f"not all were asked for: {more}"] if more else []
        if self.missing:
            listed = ", ".join(f"`{each}`" for each in self.missing)
            told.append(f"{listed}; of the first: {next(iter(self.missing.values()))}")
        return Wheels(files=files, findings=tuple(finding("W359", FOLDER, each) for each in told))


def _last_error(said: bytes) -> str:
    lines = [line.strip() for line in said.decode("utf-8", errors="replace").splitlines()]
    errors = [ADDRESS.sub("…", line.removeprefix("ERROR: ")) for line in lines if line.startswith("ERROR: ")]
    return " ".join((errors or ["pip gave no reason"])[-1].split())[:200]


def collect(
    environment: Environment,
    into: Path,
    *,
    environ: Mapping[str, str],
    stopped: Callable[[], bool] = lambda: False,
    patience: float = PATIENCE,
) -> Wheels:
    """Fetch the wheels of an environment's lock, and of what its editable checkouts are built by, into a new folder.

    Never raises for what it does not get, nor for an interrupt from the keyboard, which ends only this.

    Args:
        environment: the record of the environment.
        into: where to put them.
        environ: the person's variables, which say where packages are to be had.
        stopped: whether somebody wants an end.
        patience: seconds that it may take.
    """
    fetching = _Fetching(into=into, stopped=stopped)
    try:
        with child_process.within(patience):
            _collect(environment, fetching, environ)
    except KeyboardInterrupt:
        return fetching.so_far("it was interrupted")
    except TookTooLongError as error:
        return fetching.so_far(f"it {error}")
    except Exception as error:  # noqa: BLE001 - the evaluation is over; its capture goes on without them
        return fetching.so_far(str(error))
    return fetching.so_far()


def _collect(environment: Environment, fetching: _Fetching, environ: Mapping[str, str]) -> None:
    fetching.into.mkdir(parents=True)
    interpreter = environment.interpreter
    if interpreter is None or isinstance(environment.packages, Unknown):
        raise _Over("the Python that ran the evaluation is not known")
    fetching.environ = {"PIP_RETRIES": "2", "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | in_words_of_pip(environ)
    fetching.pip = _pip(interpreter, fetching.environ, fetching.into)
    fetching.each(_pinned(environment))
    for package in environment.packages:
        if package.editable and (root := _folder(package)) is not None:
            _fetch_builders(fetching, package.name, root)


def _fetch_builders(fetching: _Fetching, name: str, root: Path) -> None:
    """Fetch what a project says that it is built by, and each that its backend is known to ask for besides."""
    named = list(_build_requirements(root))
    besides = [[each] for one in named for each in _ASKED_BY_BACKEND.get(_name(one), ())]
    for needed in (named, *besides):
        reason = fetching.fetch(needed) if needed else None
        if reason is not None:
            fetching.missing[f"{', '.join(needed)} to build {name}"] = reason


def _pinned(environment: Environment) -> list[str]:
    lines = packages.lock(environment).decode().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _pip(interpreter: Interpreter, environ: Mapping[str, str], directory: Path) -> tuple[str, ...]:
    """Find a pip that fetches for an interpreter: its own, ours (which asks that one what fits it), or one of uv's."""
    python = interpreter.executable
    uv = shutil.which("uv", path=environ.get("PATH")) or str(Path(sys.executable).with_name("uv"))
    with_uv = (uv, "run", "--quiet", "--no-project", "--python", python, "--with", "pip")
    candidates: tuple[tuple[str, ...], ...] = (
        (python, "-I", "-m", "pip"),
        (sys.executable, "-I", "-m", "pip", "--python", python),
        (*with_uv, "python", "-I", "-m", "pip"),
    )
    for each in candidates:
        if _answers(each, environ, directory):
            return each
    raise _Over(f"no pip can be run for `{python}`, and uv gives none")


def _answers(words: Sequence[str], environ: Mapping[str, str], directory: Path) -> bool:
    try:
        ended = child_process.run(
            [*words, "--version"], directory=directory, environment=environ, stdin=b"", timeout=_ASKING
        )
    except (OSError, ValueError):
        return False
    except TookTooLongError:
        child_process.require_time()
        return False
    return ended.status == 0


def _folder(package: Package) -> Path | None:
    match package.direct_url:
        case {"url": str(url), "dir_info": {}} if url.startswith("file:///"):
            return Path(unquote(urlsplit(url).path, errors="surrogateescape"))
        case _:
            return None


def _build_requirements(root: Path) -> Iterator[str]:
    """Yield what a project says that it is built by."""
    try:
        settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        settings = {}
    system = settings.get("build-system")
    listed = system.get("requires") if isinstance(system, dict) else None
    yield from (each for each in listed if isinstance(each, str)) if isinstance(listed, list) else _DEFAULT_BUILD


def _name(requirement: str) -> str:
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return requirement
