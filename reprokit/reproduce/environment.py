"""Rebuilding the Python that ran an evaluation, with uv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from reprokit.errors import InputMissingError
from reprokit.reproduce.requirements import Pin


def has_uv(environ: Mapping[str, str]) -> bool:
    """Tell whether `find_uv` would find it."""
    return shutil.which("uv", path=environ.get("PATH")) is not None or Path(sys.executable).with_name("uv").exists()


def find_uv(environ: Mapping[str, str]) -> Path:
    """Find the uv program: on PATH, or beside the Python that runs reprokit.

    Raises:
        InputMissingError: there is none.
    """
    beside = Path(sys.executable).with_name("uv")
    found = shutil.which("uv", path=environ.get("PATH")) or (str(beside) if beside.exists() else None)
    if found is None:
        raise InputMissingError(
            "uv is not installed, and rebuilding the environment needs it",
            hint="install uv, or run in the present environment: `--env current`",
        )
    return Path(found)


def _uv(
    uv: Path, arguments: Sequence[str], *, directory: Path, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    # The variables of an active environment would redirect uv; its folder keeps a project's own settings out.
    plain = {
        name: value for name, value in environ.items() if name not in {"VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT"}
    }
    return subprocess.run(
        [uv, "--quiet", "--no-progress", *arguments],
        cwd=directory,
        env=plain,
        capture_output=True,
        text=True,
        check=False,
    )


def _last_words(text: str) -> str:
    told = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(told)[:600] if told else "it said nothing"


def _create(uv: Path, version: str, target: Path, environ: Mapping[str, str]) -> str | None:
    """Make an empty environment; returns what is not as recorded, if anything."""
    minor = ".".join(version.split(".")[:2])
    tries = ((version, "--no-python-downloads"), (minor, "--no-python-downloads"), (version, "--managed-python"))
    said = ""
    for wanted, flag in tries:
        made = _uv(uv, ["venv", flag, "--python", wanted, str(target)], directory=target.parent, environ=environ)
        if made.returncode == 0:
            return None if wanted == version else f"Python {minor} as it is here, instead of {version}"
        said = made.stderr
        shutil.rmtree(target, ignore_errors=True)
    raise InputMissingError(
        f"Python {version} cannot be had: {_last_words(said)}",
        hint=f"install Python {minor}, or run in the present environment: `--env current`",
    )


def rebuild(
    python: str, pins: Sequence[Pin], target: Path, *, environ: Mapping[str, str], allow_sdist: bool
) -> str | None:
    """Make a virtual environment in the new folder `target` with exactly these distributions.

    Only wheels are installed unless `allow_sdist`: building anything else runs foreign code. Returns what could not be
    had as recorded, if anything.

    Raises:
        InputMissingError: uv, the Python or a distribution cannot be had.
    """
    uv = find_uv(environ)
    target.parent.mkdir(parents=True, exist_ok=True)
    difference = _create(uv, python, target, environ)
    wanted = target.parent / f"{target.name}.requirements"
    wanted.write_text("".join(f"{pin}\n" for pin in pins), encoding="utf-8")
    only_wheels = [] if allow_sdist else ["--no-build"]
    interpreter = str(target / "bin" / "python")
    installed = _uv(
        uv,
        ["pip", "install", "--no-deps", *only_wheels, "--python", interpreter, "--requirement", str(wanted)],
        directory=target.parent,
        environ=environ,
    )
    if installed.returncode != 0:
        raise InputMissingError(
            f"the environment cannot be rebuilt: {_last_words(installed.stderr)}",
            hint="`--env current` runs in the present environment"
            if allow_sdist
            else "if a package has no wheel, `--allow-sdist` builds it (that runs its code)",
        )
    return difference


def activated(environ: Mapping[str, str], environment: Path | None) -> dict[str, str]:
    """Give the variables that make an environment the first on PATH."""
    path = environ.get("PATH", os.defpath)
    if environment is None:
        return {"PATH": path}
    return {"PATH": f"{environment / 'bin'}{os.pathsep}{path}", "VIRTUAL_ENV": str(environment)}
