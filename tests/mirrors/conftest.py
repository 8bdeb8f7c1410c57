"""A server that speaks W&B's protocol, and the real client in a process of its own; see tests/wandb_server/driver.py."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
DRIVER = ROOT / "tests/wandb_server/driver.py"
PRELUDE = """
import json, os, sys, urllib.request
from pathlib import Path
import wandb

TOLD = {}

def admin(method, what, body=None):
    request = urllib.request.Request(f"{os.environ['WANDB_BASE_URL']}/admin/{what}", body, method=method)
    return json.loads(urllib.request.urlopen(request).read())

def fault(kind, **about):
    admin("POST", "faults", json.dumps({"kind": kind, **about}).encode())

def heal():
    admin("DELETE", "faults")

def attempt(name, doing):
    try:
        TOLD[name] = doing()
    except BaseException as error:
        TOLD[name] = f"{type(error).__name__}: {error}"

def quiet(**more):
    return wandb.Settings(console="off", silent=True, **more)

def write(name, content):
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(content)
    return name
"""
"""What every client program of the tests starts with; what it puts into `TOLD` comes back."""


def driver() -> ModuleType:
    """Give the module that starts the server: it belongs to no package, since it is no test."""
    name = "wandb_server_driver"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, DRIVER)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture
def wandb_server(tmp_path: Path) -> Iterator:
    """A server of the test's own."""
    server = driver().WandbServer(tmp_path / "wandb-server").start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def lasting_wandb_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """One server for all tests of a module, with what they left in it; a test may `reset` it."""
    server = driver().WandbServer(tmp_path_factory.mktemp("wandb-server")).start()
    yield server
    server.stop()


@pytest.fixture(params=["newest", "oldest"])
def wandb_version(request: pytest.FixtureRequest) -> str:
    """Each version of the client that is supported, in turn."""
    return request.param


@pytest.fixture
def wandb_client(tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """Give a function that runs a program with the real client: `run(server, code)`; it tells `told` and `output`.

    The program finds `PRELUDE` done. It runs in a home of its own, the same for all programs of a test.
    """
    home = tmp_path / "client"
    home.mkdir()

    def run(server, code: str, *, version: str = "newest", check: bool = True, **variables: str) -> SimpleNamespace:
        python = interpreter(version)
        answer = home / "told.json"
        answer.unlink(missing_ok=True)
        ending = f"\nPath({str(answer)!r}).write_text(json.dumps(TOLD))\n"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        done = subprocess.run(
            [python, "-c", PRELUDE + textwrap.dedent(code) + ending],
            env={**kept, **server.environment(home), **variables},
            cwd=home,
            capture_output=True,
            text=True,
            timeout=200,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        output = done.stdout + done.stderr
        assert not check or done.returncode == 0, output + json.dumps(server.state()["crashes"])
        told = json.loads(answer.read_text()) if answer.exists() else {}
        return SimpleNamespace(told=told, output=output, status=done.returncode)

    return run


def interpreter(version: str) -> str:
    """Give the Python that has a version of the client: `newest` or `oldest`."""
    if version == "newest":
        return sys.executable
    python = ROOT / ".demo/wandb-oldest/bin/python"
    if not python.exists():
        pytest.fail(f"the oldest supported `wandb` is tested too, and {python} is not there: `make dev`")
    return str(python)
