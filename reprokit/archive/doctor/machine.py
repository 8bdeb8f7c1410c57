"""The machine: reprokit itself, the programs that it calls, and others of its name."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import reprokit
from reprokit import git
from reprokit.archive.doctor.checking import Check, fail, ok, warn
from reprokit.errors import ReprokitError
from reprokit.package_indexes import how_to_install

_NAME = "reprokit"
_DISTRIBUTION = "reprokit-eval"
_OLDEST_GIT = (2, 31)  # the first that takes settings from numbered variables
_PATIENCE = 20.0  # seconds
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)+")


def check(environment: Mapping[str, str]) -> Iterator[Check]:
    """Look at what is installed."""
    yield ok("reprokit", f"{reprokit.__version__} on Python {platform.python_version()}, {platform.system()}")
    yield from _namesakes()
    yield from _namesake_on_path(environment)
    yield _git()
    yield _uv(environment)
    yield _dvc()
    yield _ssh_keygen(environment)


def _namesakes() -> Iterator[Check]:
    """Look for other distributions that bring a command `reprokit`: they overwrite ours, or we overwrite theirs."""
    found: set[str] = set()
    for entry in importlib.metadata.entry_points(group="console_scripts", name=_NAME):
        name = entry.dist.name if entry.dist else "an unnamed package"
        if re.sub(r"[-_.]+", "-", name).lower() != _DISTRIBUTION:
            found.add(name)
    for name in sorted(found):
        yield fail(
            "namesake",
            f"the package `{name}`, which is none of ours, brings a `{_NAME}` to this environment",
            "install ours apart from it: `uv tool install .` in its checkout",
        )


def _namesake_on_path(environment: Mapping[str, str]) -> Iterator[Check]:
    """Look whose `reprokit` it is that a person starts, by what is installed beside it; it is not run."""
    program = shutil.which(_NAME, path=environment.get("PATH", os.defpath))
    if program is None:
        return
    installed = [path.name for path in Path(program).resolve().parents[1].glob("lib/python*/site-packages/*.dist-info")]
    ours = any(name.startswith("reprokit_eval-") for name in installed)
    if not ours and any(re.match(r"reprokit([_-][a-z]+)?-", name) for name in installed):
        yield fail(
            "namesake",
            f"`{program}`, which PATH leads to first, belongs to another project of that name",
            "put the folder of ours first: `uv tool install .` in its checkout, `uv tool update-shell`",
        )


def _version(program: str, *arguments: str) -> str | None:
    """Ask a program for its version; `None` when it gives none in time."""
    try:
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _NUMBER.search((done.stdout + done.stderr).decode("utf-8", errors="replace"))
    return match[0] if match and done.returncode == 0 else None


def _git() -> Check:
    wanted = ".".join(map(str, _OLDEST_GIT))
    try:
        told = git.run(["--version"], directory=Path("/"), timeout=_PATIENCE).decode("utf-8", errors="replace")
    except ReprokitError as error:
        return fail("git", f"{error.message}: nothing can be captured or found without it", error.hint)
    match = _NUMBER.search(told)
    if match is None or tuple(map(int, match[0].split(".")[:2])) < _OLDEST_GIT:
        return fail("git", f"`{told.strip()[:80]}` is too old", f"install {wanted} or later")
    return ok("git", match[0])


def _uv(environment: Mapping[str, str]) -> Check:
    beside = Path(sys.executable).with_name("uv")
    program = shutil.which("uv", path=environment.get("PATH", os.defpath)) or (str(beside) if beside.exists() else None)
    version = _version(program, "--version") if program else None
    if version is None:
        return warn("uv", "no `uv` that works: `reprokit reproduce` cannot rebuild packages", "install uv")
    return ok("uv", version)


def _dvc() -> Check:
    try:
        return ok("dvc", f"{importlib.metadata.version('dvc')}, beside reprokit")
    except importlib.metadata.PackageNotFoundError:
        return warn(
            "dvc",
            "no `dvc` beside reprokit: `push` and `pull` reach remotes in folders only",
            how_to_install("dvc"),
        )


def _ssh_keygen(environment: Mapping[str, str]) -> Check:
    program = shutil.which("ssh-keygen", path=environment.get("PATH", os.defpath))
    if program is None:
        return warn(
            "ssh-keygen",
            "no `ssh-keygen`: bundles can be neither signed nor their signatures checked",
            "install OpenSSH's client",
        )
    return ok("ssh-keygen", program)
