"""The HTTP of the server: who asks, which fault happens, and who answers."""

from __future__ import annotations

import base64
import binascii
import contextlib
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import admin
import storage
from exchange import Answer, Exchange, as_json, graphql_errors, parsed, refused
from faults import Fault, Faults
from graphql_answers import GraphQLError, Projection, Request, UnmodelledError, read
from schema import SCHEMA
from world import World

DROPPED = 0
"""The status that the log has for a request that got no whole answer."""


class Server(ThreadingHTTPServer):
    """A world behind an address; each connection has a thread of its own, which holds up nothing."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, world: World, faults: Faults) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.world, self.faults, self.lock = world, faults, threading.RLock()
        world.address = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news; all else is."""
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        exchange = Exchange(
            method=self.command,
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query)),
            headers=self.headers,
        )
        if exchange.path.startswith("/admin/"):
            self._send(self._administered(self._whole(exchange)))
        else:
            self._serve(exchange)

    def _administered(self, exchange: Exchange) -> Answer:
        with self.server.lock:
            try:
                return admin.answer(self.server.world, self.server.faults, exchange)
            except Exception:
                return Answer(500, traceback.format_exc().encode())

    def _serve(self, exchange: Exchange) -> None:
        request: Request | Answer | None = None
        if exchange.path == "/graphql":
            exchange = self._whole(exchange)
            request = _graphql_request(exchange.body)
        names = request.names | {request.name} if isinstance(request, Request) else frozenset()
        fault = self.server.faults.take(exchange.method, exchange.path, names)
        entry = {
            "method": exchange.method,
            "path": exchange.path,
            "operation": request.name if isinstance(request, Request) else None,
            "status": DROPPED,
            "fault": fault.kind if fault else None,
        }
        with self.server.lock:
            self.server.world.requests.append(entry)
        if fault and self._broken_off(fault, exchange):
            return
        exchange = exchange if request else self._whole(exchange)
        answer = self._answer(exchange, request, fault)
        if fault and fault.kind in {"drop", "refuse"}:
            self._send_half(answer) if fault.kind == "drop" else self._reset()
            return
        entry["status"] = answer.status
        self._send(answer)

    def _broken_off(self, fault: Fault, exchange: Exchange) -> bool:
        """Do what a fault does before anything is done; tell whether that was all."""
        match fault.kind:
            case "refuse" if not fault.done:
                self._reset()
            case "hang":
                self.server.faults.wait()
                self._reset()
            case "slow":
                self.server.faults.wait(fault.seconds)
                return False
            case "drop" if exchange.method == "PUT":
                self.rfile.read(int(self.headers.get("Content-Length") or 0) // 2)
                self._reset()
            case _:
                return False
        return True

    def _answer(self, exchange: Exchange, request: Request | Answer | None, fault: Fault | None) -> Answer:
        kind = fault.kind if fault else ""
        if fault and kind == "graphql":
            return graphql_errors(fault.message)
        if fault and kind == "status" and not fault.done:
            return refused(fault.status, fault.message, fault.headers)
        world = self.server.world
        with self.server.lock:
            world.omitting = fault.name if fault and kind == "omit" else None
            world.losing = kind == "lost-commit"
            world.lagging = kind == "late-history"
            try:
                answer = _routed(world, exchange, request, kind)
            except Exception:
                world.crashes.append(traceback.format_exc())
                answer = refused(500, "the server of the tests does not know what to do; see its `crashes`")
        if fault and kind == "status":
            return refused(fault.status, fault.message, fault.headers)
        if answer.status != 200:
            return answer
        if kind == "corrupt":
            return Answer(200, admin.wrong(answer.body), answer.headers)
        return Answer(200, answer.body[: len(answer.body) // 2], answer.headers) if kind == "truncate" else answer

    def _whole(self, exchange: Exchange) -> Exchange:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return Exchange(
            method=exchange.method, path=exchange.path, query=exchange.query, headers=exchange.headers, body=body
        )

    def _head(self, answer: Answer) -> bytes:
        headers = {
            "Content-Type": "text/plain",
            "Content-Length": str(len(answer.body)),
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": "GET, PUT",
            **answer.headers,
        }
        lines = [f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('',))[0]}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _send(self, answer: Answer) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(self._head(answer) + (b"" if self.command == "HEAD" else answer.body))

    def _send_half(self, answer: Answer) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(self._head(answer) + answer.body[: len(answer.body) // 2])
        self.close_connection = True

    def _reset(self) -> None:
        """Close the connection so that the other side notices at once."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *_: object) -> None:
        """The log is in the state."""


for _method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
    setattr(Handler, f"do_{_method}", Handler.do_GET)


def _graphql_request(body: bytes) -> Request | Answer:
    try:
        said = parsed(body)
        return read(said["query"], said.get("operationName") or "", said.get("variables") or {})
    except GraphQLError as error:
        return graphql_errors(str(error), error.status)
    except (ValueError, KeyError, TypeError) as error:
        return graphql_errors(f"this is no GraphQL request: {error}", 400)


def _routed(world: World, exchange: Exchange, request: Request | Answer | None, kind: str) -> Answer:
    """Let answer who answers for a path."""
    if exchange.method == "OPTIONS":
        return Answer(204)
    if exchange.path.startswith("/storage/"):
        if exchange.method == "PUT":
            return storage.put(world, exchange, keep=kind != "lost-upload")
        return storage.get(world, exchange)
    keyed: dict[tuple[str, str], Callable[[], Answer]] = {
        ("POST", "graphql"): lambda: _graphql(world, request),
        ("POST", "files"): lambda: as_json({}) if kind == "lost-history" else storage.file_stream(world, exchange),
        ("GET", "artifactsV2"): lambda: storage.get_by_key(world, exchange),
    }
    found = keyed.get((exchange.method, exchange.path.split("/")[1]))
    if found is None:
        world.unknown.append(f"{exchange.method} {exchange.path}")
        return refused(404, "not found")
    return found() if _key(exchange) == world.key else refused(401, "user is not logged in")


def _key(exchange: Exchange) -> str:
    words = exchange.headers.get("Authorization", "").split()
    try:
        user, _, key = base64.b64decode(words[-1] if len(words) == 2 else "", validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return key if user == "api" else ""


def _graphql(world: World, request: Request | Answer | None) -> Answer:
    if not isinstance(request, Request):
        if request is not None:
            world.unknown.append(request.body.decode())
        return request or refused(400, "there is no request")
    try:
        return as_json({"data": Projection(request, SCHEMA, world, world.unknown).answer()})
    except GraphQLError as error:
        if isinstance(error, UnmodelledError):
            world.unknown.append(str(error))
        return graphql_errors(str(error), error.status)


class AdminHandler(Handler):
    """One connection at the socket in the file system, which has no TCP to be hurried."""

    disable_nagle_algorithm = False


class AdminServer(ThreadingHTTPServer):
    """The same, at a socket in the file system: tests need no network to ask it."""

    address_family = socket.AF_UNIX
    daemon_threads = True

    def __init__(self, path: str, server: Server) -> None:
        Path(path).unlink(missing_ok=True)
        self.path = path
        super().__init__(path, AdminHandler)  # type: ignore[arg-type]
        self.world, self.faults, self.lock = server.world, server.faults, server.lock

    def server_bind(self) -> None:
        """Bind without asking for the name of a host."""
        self.socket.bind(self.path)
        self.server_name, self.server_port = "admin", 0

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """A socket in the file system has no address of the other side."""
        return self.socket.accept()[0], ("admin", 0)
