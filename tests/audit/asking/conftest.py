"""A small world of one's own: a web server that answers as it is told, and git served over https."""

from __future__ import annotations

import datetime as dt
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from reprokit.archive.layout import Archive
from reprokit.audit.asking.asking import Asking, asking

NOW = dt.datetime(2026, 11, 27, 12, tzinfo=dt.UTC)


@dataclass
class Site:
    """What a server answers at which path, and what it was asked: (method, path, headers)."""

    address: str = ""
    pages: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def page(
        self, path: str, body: bytes = b"", *, status: int = 200, kind: str = "application/json", **headers: str
    ) -> None:
        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Content-Type", kind)
            handler.send_header("Content-Length", str(len(body)))
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)

        self.pages[path] = answer

    @property
    def paths(self) -> list[str]:
        return [path for _, path, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.site.asked.append((self.command, path, dict(self.headers.items())))
        if self.command == "POST":
            self.rfile.read(int(self.headers["Content-Length"]))
        answer = self.site.pages.get(path)
        with suppress(OSError):
            if answer is None:
                self.send_error(404)
            else:
                answer(self)

    do_POST = do_GET  # noqa: N815 - what the server looks for

    def log_message(self, *_: object) -> None:
        pass


def serving(handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    """A server that knows nothing until it is told."""
    found = Site()
    for address in serving(type("Own", (Handler,), {"site": found})):
        found.address = address
        yield found


@pytest.fixture
def other_site() -> Iterator[Site]:
    """Another server."""
    found = Site()
    for address in serving(type("Other", (Handler,), {"site": found})):
        found.address = address
        yield found


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1's, with its key, that nobody trusts who is not told to."""
    file = tmp_path_factory.mktemp("certificate") / "own.pem"
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", file, "-out", file]
    subprocess.run([*made, *name], check=True, capture_output=True)
    return file


@pytest.fixture
def secure(certificate: Path) -> ssl.SSLContext:
    """What a server shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class GitOverHttp(BaseHTTPRequestHandler):
    """Serves the repositories of a folder through git's own program; `keys` must be shown where there is any."""

    folder: Path
    keys: str | None = None
    asked: list[dict[str, str]]

    def do_GET(self) -> None:
        self.asked.append(dict(self.headers.items()))
        if self.keys is not None and self.headers.get("Authorization") != self.keys:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        variables = {
            "PATH": "/usr/bin:/bin",
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        done = subprocess.run(["git", "http-backend"], input=body, env=variables, capture_output=True, check=False)
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815 - what the server looks for

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class GitServer:
    address: str
    folder: Path
    handler: Any


@pytest.fixture
def git_server(tmp_path: Path, secure: ssl.SSLContext, certificate: Path, monkeypatch) -> Iterator[GitServer]:
    """Git over https, from a folder of repositories."""
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    handler = type("Served", (GitOverHttp,), {"folder": folder, "asked": []})
    for address in serving(handler, secure):
        yield GitServer(address=address, folder=folder, handler=handler)


@pytest.fixture
def ask_with(archive: Archive) -> Callable[..., Asking]:
    """Give a function that makes what an audit asks with, of a person with no settings but these variables."""

    def make(
        *, offline: bool = False, timeout: float = 10.0, now: dt.datetime = NOW, fresh_for: float = 7 * 86400.0, **given
    ) -> Asking:
        environ = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **given}
        return asking(archive, environ, offline=offline, timeout=timeout, now=now, fresh_for=fresh_for)

    return make


@pytest.fixture
def now() -> dt.datetime:
    """When the audits of these tests begin."""
    return NOW
