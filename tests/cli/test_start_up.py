"""Starting is fast and touches nothing: no heavy import, no socket."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"wandb", "dvc", "duckdb", "numpy", "scipy", "rich"}


def modules_after(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, json\n{code}\nprint('|' + json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout.rpartition("|")[2])}


def calling(*arguments: str) -> str:
    return f"sys.argv = ['reprokit', *{list(arguments)!r}]\nfrom reprokit.cli import _run\n_run()"


def test_importing_reprokit_imports_nothing_else_of_it():
    assert not modules_after("import reprokit") & {*HEAVY, "click", "msgspec", "jsonschema"}


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_version_and_help_import_no_heavy_module(arguments):
    loaded = modules_after(calling(*arguments))

    assert not loaded & {*HEAVY, "msgspec", "jsonschema", "jsonschema_rs", "zstandard"}


@pytest.mark.parametrize("name", ["init", "capture", "list", "show", "status", "validate", "reproduce", "diff"])
def test_the_help_of_a_command_imports_no_heavy_module_and_has_an_example(name):
    loaded = modules_after(calling(name, "--help"))
    text = subprocess.run(
        [sys.executable, "-m", "reprokit", name, "--help"], capture_output=True, text=True, check=True
    )

    assert not loaded & HEAVY
    assert "Example" in text.stdout
    assert f"reprokit {name}" in text.stdout


def test_an_unknown_command_is_a_usage_error(reprokit):
    assert "No such command" in reprokit("frobnicate", check=2).stderr


def test_capturing_without_a_mirror_opens_no_socket(reprokit, evaluation):
    guarded = (
        "import sys\n"
        "def refuse(event, _):\n"
        "    if event.startswith('socket.') and event != 'socket.gethostname':\n"
        "        print('SOCKET', event, file=sys.stderr); sys.stderr.flush()\n"
        "sys.addaudithook(refuse)\n"
        f"sys.argv = ['reprokit', 'capture', *{list(reprokit.files)!r}, '--', 'python', 'evaluate.py']\n"
        "from reprokit.cli import main\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", guarded],
        cwd=evaluation,
        env=reprokit.environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert "captured" in done.stderr
    assert "SOCKET" not in done.stderr
