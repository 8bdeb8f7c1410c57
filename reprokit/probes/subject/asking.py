"""Asking a server a question that its answer need not be trusted for: a GET without credentials, on a tight leash.

No redirect is followed, no proxy is used, no name is resolved twice; the answer may be 1 MiB at most. However slowly a
server drips, and however long a resolver thinks, an answer that is not there in time is an unknown with its reason.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from reprokit.bundle.values import Json, Unknown

T = TypeVar("T")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST_BYTES = 1 << 20
_LATE = "it did not answer in time"
_REDIRECT = 3
# Not `is_private`, which holds for whatever is not routed everywhere: examples, benchmarks, the clouds' own addresses.
_NEAR = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/32", "10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
        *("::/128", "::1/128", "fc00::/7"),
    )
)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a server is: no credentials, no query. `path` begins with `/` or is empty, and does not end in one."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """`host:port`, as the probe notes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def address(self) -> str:
        """The address as text."""
        return f"{self.scheme}://{self.place}{self.path}"


def endpoint(address: str) -> Endpoint | None:
    """Read an address, and forget the credentials in it; `None` when it is none of `http` or `https`."""
    try:
        parts: SplitResult = urlsplit(address)
        port = parts.port or _PORTS[parts.scheme]
        host = (parts.hostname or "").encode("ascii").decode()
    except (KeyError, ValueError):
        return None
    path = parts.path.rstrip("/")
    if not host or not path.isascii() or not path.isprintable() or " " in path:
        return None
    return Endpoint(scheme=parts.scheme, host=host, port=port, path=path)


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server, its addresses in the order to try, seconds for a question, and the end (`time.monotonic`) of all."""

    endpoint: Endpoint
    addresses: tuple[Address, ...]
    patience: float
    deadline: float


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A JSON document, or the reason why there is none. Unless something was `heard`, there is no use in asking on."""

    document: Json = None
    reason: str | None = None
    heard: bool = True


def addresses(place: Endpoint, patience: float) -> list[Address] | Unknown:
    """Find out where an endpoint is, in at most `patience` seconds."""

    def look_up() -> list[Address]:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
        return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]

    found = _in_time(look_up, patience)
    return found if isinstance(found, Unknown) or found else Unknown(unknown=f"`{place.host}` has no address")


def is_near(address: Address) -> bool:
    """Tell whether an address is this machine's or a private network's."""
    address = _plain(address)
    return any(address in network for network in _NEAR if network.version == address.version)


def forbidden(address: Address) -> bool:
    """Tell whether nobody may be asked there: where clouds answer with credentials, and where no single host is."""
    address = _plain(address)
    return address.is_link_local or address.is_multicast


def get(server: Server, path: str) -> Answer:
    """Ask for a JSON document at a path of the server."""
    left = min(server.patience, server.deadline - time.monotonic())
    if left <= 0:
        return Answer(reason="there was no time left to ask", heard=False)
    answer = _in_time(lambda: _get(server, path, left), left)
    return Answer(reason=answer.unknown, heard=False) if isinstance(answer, Unknown) else answer


def _plain(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _get(server: Server, path: str, patience: float) -> Answer:
    place = server.endpoint
    streams = [_connect(server, patience)]
    over = threading.Event()
    ends = threading.Timer(patience, _hang_up, [streams, over])
    ends.daemon = True
    ends.start()
    try:
        if place.scheme == "https":
            # In two steps, so that a server that drips its greeting can be hung up on too.
            context = ssl.create_default_context()
            secure = context.wrap_socket(streams[0], server_hostname=place.host, do_handshake_on_connect=False)
            streams.append(secure)
            secure.do_handshake()
        connection = http.client.HTTPConnection(place.host, place.port, timeout=patience)
        connection.sock = streams[-1]
        headers = {"Accept": "application/json", "Connection": "close", "User-Agent": "reprokit"}
        connection.request("GET", path, headers=headers)
        answer = _answer(connection.getresponse())
        # What was cut off by hanging up may look like an answer.
        return Answer(reason=_LATE, heard=False) if over.is_set() else answer
    finally:
        ends.cancel()
        for stream in streams:
            stream.close()


def _connect(server: Server, patience: float) -> socket.socket:
    """Connect to the first address at which somebody listens."""
    *others, last = server.addresses
    for address in others:
        with contextlib.suppress(OSError):
            return socket.create_connection((str(address), server.endpoint.port), timeout=patience)
    return socket.create_connection((str(last), server.endpoint.port), timeout=patience)


def _hang_up(streams: Sequence[socket.socket], over: threading.Event) -> None:
    over.set()
    for stream in streams:
        with contextlib.suppress(OSError):
            stream.shutdown(socket.SHUT_RDWR)


def _answer(response: http.client.HTTPResponse) -> Answer:
    if response.status // 100 == _REDIRECT:
        return Answer(reason=f"it answered with a redirect ({response.status}), which is not followed")
    if response.status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
        return Answer(reason=f"it wants credentials ({response.status}), and is given none")
    if response.status != http.client.OK:
        return Answer(reason=f"it answered with status {response.status}")
    data = response.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        return Answer(reason=f"its answer is larger than {MOST_BYTES} bytes")
    if response.length:
        return Answer(reason="its answer was cut short")
    try:
        return Answer(document=json.loads(data))
    except (ValueError, RecursionError):
        return Answer(reason="its answer is no JSON")


def _in_time(action: Callable[[], T], patience: float) -> T | Unknown:
    """Do something that may never return; why it failed, or that it did not end in time, is the answer then."""
    answer: list[T | Unknown] = []

    def act() -> None:
        try:
            answer.append(action())
        except Exception as error:  # noqa: BLE001 - what a stranger sends may break any of the code that reads it
            answer.append(Unknown(unknown=_why(error)))

    worker = threading.Thread(target=act, name="reprokit-asking", daemon=True)
    worker.start()
    worker.join(patience)
    return answer[0] if answer else Unknown(unknown=f"it did not answer within {patience:.2g} s")


def _why(error: Exception) -> str:
    match error:
        case ConnectionRefusedError():
            return "nobody listens there"
        case TimeoutError():
            return _LATE
        case socket.gaierror():
            return "its name is not known"
        case ssl.SSLError():
            return f"no trusted connection could be made: {error.reason or 'no reason given'}"
        case http.client.HTTPException():
            return "its answer is no HTTP, or was cut short"
        case OSError():
            return f"it could not be reached: {error.strerror or type(error).__name__}"
        case _:
            return f"its answer could not be read: {type(error).__name__}"
