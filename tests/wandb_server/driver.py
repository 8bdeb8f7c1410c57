"""Start the server of the tests, ask it what it holds, and let things go wrong in it.

Only the standard library, and no network: the server is asked over a socket in the file system, which `--disable-socket`
allows. What speaks to the server itself is the `wandb` client, in a process of its own, with `environment()`.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

KEY = "local" + "0" * 40
"""The key of the person whose runs and artifacts the server holds."""
BYTECODE = Path(tempfile.gettempdir()) / f"reprokit-tests-bytecode-{os.getuid()}"
"""Where Python keeps the bytecode of the server and of `wandb`, which is imported many times."""
IMPATIENT = {
    f"WANDB_X_{what}_RETRY_{name}": value
    for what in ("GRAPHQL", "FILE_TRANSFER", "FILE_STREAM")
    for name, value in {"MAX": "2", "WAIT_MIN_SECONDS": "1", "WAIT_MAX_SECONDS": "1"}.items()
}
"""Variables that let the client give up after two more tries, a second apart: it knows no parts of a second."""


class WandbServer:
    """A server in a process of its own; `start` it, and `stop` it in the end.

    It keeps what it holds when it is stopped or restarted (but not when killed), and its address.
    """

    def __init__(self, folder: Path, *, viewer: str = "ada", teams: tuple[str, ...] = ("lab",), key: str = KEY) -> None:
        self.folder, self.viewer, self.teams, self.key = folder, viewer, teams, key
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._admin: str | None = None

    # --- its life ---

    def start(self) -> WandbServer:
        """Start it, and come back when it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._admin = str(Path(tempfile.mkdtemp(prefix="wandb-")) / "admin")  # short enough for a socket
        port_file = self.folder / "port"
        port_file.unlink(missing_ok=True)
        command = [sys.executable, "-I", "-X", f"pycache_prefix={BYTECODE}", Path(__file__).parent, "--with-parent"]
        command += ["--port", self.port, "--port-file", port_file, "--admin", self._admin, "--key", self.key]
        command += ["--state", self.folder / "state", "--viewer", self.viewer]
        command += [word for team in self.teams for word in ("--team", team)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.PIPE, stdout=log, stderr=log
            )
        until = time.monotonic() + 60
        while not port_file.exists():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, "the server does not come up"
            time.sleep(0.005)
        self.port = int(port_file.read_text())
        return self

    def stop(self) -> None:
        """End it, after it has written down what it holds; what it was doing is cut off."""
        self._end(subprocess.Popen.terminate)

    def kill(self) -> None:
        """Kill it: what it held since the last `stop` is gone, as after a power cut."""
        self._end(subprocess.Popen.kill)

    def restart(self) -> None:
        """Stop it and start it again, at the same address and with all that it held."""
        self.stop()
        self.start()

    def _end(self, how: Any) -> None:
        if self._process is not None:
            how(self._process)
            self._process.wait(timeout=60)
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process = None
        if self._admin is not None:
            shutil.rmtree(Path(self._admin).parent, ignore_errors=True)
            self._admin = None

    # --- for the client ---

    @property
    def address(self) -> str:
        """What `WANDB_BASE_URL` must be."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self, home: Path | None = None, *, impatient: bool = True) -> dict[str, str]:
        """Give the variables for a client: address, key, no proxy, no reports; with `home`, folders of its own there.

        `impatient` lets the client give up within a few seconds, instead of a quarter of an hour.
        """
        variables = {
            "WANDB_BASE_URL": self.address,
            "WANDB_API_KEY": self.key,
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_X_DISABLE_STATS": "true",
            "WANDB_X_DISABLE_MACHINE_INFO": "true",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "PYTHONPYCACHEPREFIX": str(BYTECODE),
            "PYTHONDONTWRITEBYTECODE": "",
        }
        if home is not None:
            folders = {
                "DIR": "wandb-runs",
                "DATA_DIR": "wandb-data",
                "CACHE_DIR": "wandb-cache",
                "CONFIG_DIR": "wandb-config",
            }
            for name, folder in folders.items():
                (home / folder).mkdir(parents=True, exist_ok=True)
                variables[f"WANDB_{name}"] = str(home / folder)
            variables |= {"HOME": str(home), "NETRC": str(home / ".netrc")}
        return variables | (IMPATIENT if impatient else {})

    # --- for the tests ---

    def state(self) -> dict[str, Any]:
        """Tell all that it holds: `runs` and `collections` by `entity/project/name`, `unknown`, `requests` and more."""
        return json.loads(self._ask("GET", "state"))

    def fault(self, kind: str, **about: Any) -> None:
        """Let something go wrong from now on; see faults.py for the kinds and what they take."""
        self._ask("POST", "faults", json.dumps({"kind": kind, **about}).encode())

    def faults(self) -> list[dict[str, Any]]:
        """Tell the faults that were asked for; `happened` says how often each has."""
        return json.loads(self._ask("GET", "faults"))

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self._ask("DELETE", "faults")

    def reset(self) -> None:
        """Forget all that clients did, and heal."""
        self._ask("POST", "reset")

    def blob(self, md5: str) -> bytes:
        """Give the bytes that it holds under an MD5, in hexadecimal."""
        return self._ask("GET", f"blobs/{md5}")

    def spoil(self, md5: str, content: bytes = b"") -> None:
        """Let it hold other bytes under an MD5: those given, else the same with the first one changed."""
        self._ask("POST", f"blobs/{md5}", content)

    def lose(self, md5: str) -> None:
        """Let it lose the bytes that it holds under an MD5."""
        self._ask("DELETE", f"blobs/{md5}")

    def operations(self) -> list[str]:
        """Name what was asked of it, in order: GraphQL operations by name, all else by method and first folders."""
        requests = self.state()["requests"]
        return [each["operation"] or f"{each['method']} {'/'.join(each['path'].split('/')[:3])}" for each in requests]

    def _ask(self, method: str, what: str, body: bytes = b"") -> bytes:
        connection = _FileConnection(self._admin or "")
        try:
            connection.request(method, f"/admin/{what}", body)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, f"{method} /admin/{what}: {answer.status} {content.decode()}"
        return content


class _FileConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("admin", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
