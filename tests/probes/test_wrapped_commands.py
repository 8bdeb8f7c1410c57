"""The Python behind `uv run`, `srun`, `timeout` and scripts, for when no probe ran in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from reprokit.bundle.values import Unknown
from reprokit.probes.interpreter.command import ask
from reprokit.probes.interpreter.wrappers import interpreter_of


@pytest.fixture
def environ(tmp_path):
    """A PATH with a Python, a harness's console script and wrappers that only exist by name."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python").symlink_to(sys.executable)
    # As installers write it where the path may hold a space.
    program(programs / "harness", f"#!/bin/sh\n'''exec' \"{sys.executable}\" \"$0\" \"$@\"\n' '''\n")
    for wrapper in ("srun", "uv", "numactl"):
        program(programs / wrapper, '#!/bin/sh\nexec "$@"\n')
    return {"PATH": f"{programs}:/usr/bin:/bin"}


def program(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    "words",
    [
        "harness --limit 4",
        "timeout 10 harness",
        "timeout -s TERM --kill-after=5 10m harness",
        "env -u HOME SEED=3 harness",
        "nice -n 5 harness",
        "srun -n 2 --gpus=1 timeout 60 harness",
        "numactl --cpunodebind=0 harness",
        "bash run.sh with arguments",
        "bash -eu run.sh",
        "bash -lc harness",
        "./run.sh",
        "timeout 10 bash run.sh",
    ],
)
def test_wrappers_are_looked_through(environ, tmp_path, words):
    program(
        tmp_path / "run.sh",
        "#!/usr/bin/env bash\n# harness is started twice\nset -eu\nSEED=3 timeout 60 \\\n  harness --limit 4\nharness\n",
    )

    found = interpreter_of(words.split(), environ, tmp_path)

    assert isinstance(found, Path), found
    assert found.samefile(sys.executable)


@pytest.mark.parametrize(
    "line",
    ["source venv/bin/activate", ". ./setup", "module load python", "conda activate it", "export PATH=/opt:$PATH",
     'eval "$(conda shell.bash hook)"', "if true; then source x; fi"],
)  # fmt: skip
def test_a_script_that_sets_up_an_environment_leaves_its_python_unknown(environ, tmp_path, line):
    program(tmp_path / "run.sh", f"#!/bin/bash\n{line}\nharness\n")

    assert interpreter_of(["bash", "run.sh"], environ, tmp_path) == Unknown(
        unknown="the script sets up an environment of its own"
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("env -i harness", "`env` clears the environment"),
        ("timeout 10 no-such-program", "the command that it starts is not found"),
        ("timeout 10 ls harness", "`ls` is not a Python program"),
        ("bash -c exit", "`bash` is not a Python program"),
        ("bash", "`bash` is not a Python program"),
        ("bash no-such-script", "`bash` is not a Python program"),
        ("uv run --with numpy harness", "`uv run` makes an environment of its own, which is gone"),
        ("uv run harness", "`uv run` is in no project"),
        ("uv pip list", "`uv` is not a Python program"),
    ],
)
def test_what_is_not_sure_is_unknown(environ, tmp_path, words, reason):
    assert interpreter_of(words.split(), environ, tmp_path) == Unknown(unknown=reason)


def test_scripts_that_start_each_other_come_to_an_end(environ, tmp_path):
    program(tmp_path / "a.sh", "bash b.sh\n")
    program(tmp_path / "b.sh", "bash a.sh\n")
    os.mkfifo(tmp_path / "pipe")

    assert isinstance(interpreter_of(["bash", "a.sh"], environ, tmp_path), Unknown)
    assert isinstance(interpreter_of(["bash", "pipe"], environ, tmp_path), Unknown)


def test_uv_run_uses_the_environment_of_its_project_or_the_named_one(environ, tmp_path):
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (project / "deep").mkdir(parents=True)
    elsewhere.mkdir()
    (project / "pyproject.toml").touch()
    for environment in (project / ".venv", project / "own", elsewhere / "named"):
        (environment / "bin").mkdir(parents=True)
        (environment / "bin/python").symlink_to(sys.executable)

    def found(words, directory=project, **more):
        return interpreter_of(["uv", "run", *words.split()], environ | more, directory)

    assert found("harness", project / "deep") == project / ".venv/bin/python"
    assert found("harness", UV_PROJECT_ENVIRONMENT="own") == project / "own/bin/python"
    assert found("--project project harness", tmp_path) == project / ".venv/bin/python"
    assert found("--no-project --python named harness", elsewhere) == elsewhere / "named/bin/python"
    assert found("--no-project --python=named/bin/python x", elsewhere) == elsewhere / "named/bin/python"
    assert isinstance(found("--no-project --python 3.11 harness", elsewhere), Unknown)


def test_the_python_behind_a_wrapper_answers(environ, tmp_path):
    answer = ask(["timeout", "60", "harness", "--limit", "4"], environ, tmp_path)

    assert Path(answer.prefix) == Path(sys.prefix)
    assert answer.argv == ("timeout", "60", "harness", "--limit", "4")
