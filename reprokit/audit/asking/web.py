"""A question over HTTP, on a tight leash: a time for all of it, a size for the answer, and no wandering off.

A redirect is followed within https, or to the same server; what lets somebody in is shown to the one who was asked, and
to nobody else. The person's proxies and certificates are used.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO
from urllib.parse import SplitResult, urlsplit

from reprokit.audit.asking.heard import Silence
from reprokit.mirrors.wandb import web

_AGENT = "reprokit (audit; asks what is still there)"
_CHUNK = 1 << 16
_PORTS = {"http": 80, "https": 443}
_LETS_IN = "Authorization"
_REDIRECT = 3
_IMPATIENT = frozenset({http.client.TOO_MANY_REQUESTS, http.client.SERVICE_UNAVAILABLE})
_NO_ENTRY = frozenset({http.client.UNAUTHORIZED, http.client.FORBIDDEN, http.client.PROXY_AUTHENTICATION_REQUIRED})


@dataclass(frozen=True, kw_only=True)
class Question:
    """What to ask where. `secret` is the value of an `Authorization` header; `most` is in bytes."""

    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: str | None = field(default=None, repr=False)
    body: bytes | None = None
    most: int = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Page:
    """An answer: its status (200 or 404), its media type, and its bytes. `address` is where it came from at last."""

    status: int
    kind: str
    data: bytes
    address: str


def host(address: str) -> str:
    """Name whom an address asks: `host`, or `host:port` where the port is not the usual one; empty for no address."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    usual = port is None or port == _PORTS.get(parts.scheme)
    return (parts.hostname or "") + ("" if usual else f":{port}")


def ask(question: Question, environ: Mapping[str, str], timeout: float) -> Page | Silence:
    """Ask, and wait for at most `timeout` seconds; any other status than 200 and 404 is silence with a reason."""
    asked = f"`{host(question.address)}`"
    found: list[Page | Silence] = []

    def act() -> None:
        try:
            found.append(_page(question, environ, timeout))
        except Exception as error:  # noqa: BLE001 - what a stranger sends may break any of the code that reads it
            found.append(_why(asked, error))

    worker = threading.Thread(target=act, name="reprokit-asking", daemon=True)
    worker.start()
    worker.join(timeout)
    return found[0] if found else Silence(because=f"{asked} did not answer within {timeout:g} s", mute=True)


class _NearRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects within https, or to the server that was asked."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        here, there = urlsplit(req.full_url), urlsplit(newurl)
        same = _server(here) == _server(there)
        if not same and not here.scheme == there.scheme == "https":
            return None
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None and not same:
            following.remove_header(_LETS_IN)
        return following


def _server(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _page(question: Question, environ: Mapping[str, str], timeout: float) -> Page | Silence:
    opener = web.opener(question.address, environ, redirects=False)
    opener.add_handler(_NearRedirects())
    request = urllib.request.Request(question.address, data=question.body)  # noqa: S310 - the opener speaks only HTTP
    for name, value in {"User-Agent": _AGENT, **question.headers}.items():
        request.add_header(name, value)
    if question.secret is not None:
        request.add_header(_LETS_IN, question.secret)
    try:
        with opener.open(request, timeout=timeout) as response:
            return _read(question, response, response.status)
    except urllib.error.HTTPError as error:
        with error:
            return _refused(f"`{host(question.address)}`", error)


def _read(question: Question, response: http.client.HTTPResponse, status: int) -> Page | Silence:
    asked = f"`{host(question.address)}`"
    if status != http.client.OK:
        return Silence(because=f"{asked} answered with status {status}")
    data = bytearray()
    while chunk := response.read(min(_CHUNK, question.most + 1 - len(data))):
        data += chunk
        if len(data) > question.most:
            return Silence(because=f"the answer of {asked} is larger than {question.most} bytes")
    if response.length:
        return Silence(because=f"the answer of {asked} was cut short")
    kind = response.headers.get_content_type()
    return Page(status=status, kind=kind, data=bytes(data), address=response.url)


def _refused(asked: str, error: urllib.error.HTTPError) -> Page | Silence:
    status = error.code
    if status == http.client.NOT_FOUND:
        return Page(status=status, kind="", data=b"", address=error.url or "")
    if status in _NO_ENTRY:
        return Silence(because=f"{asked} wants credentials ({status}) that it was not shown, or does not accept")
    if status in _IMPATIENT:
        return Silence(because=f"{asked} did not answer: it has too much to do ({status})", mute=True)
    if status // 100 == _REDIRECT:
        return Silence(because=f"{asked} sends on ({status}) to where nobody is asked")
    return Silence(because=f"{asked} answered with status {status}")


def _why(asked: str, error: Exception) -> Silence:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    match reason:
        case ConnectionRefusedError():
            told = "nobody listens there"
        case TimeoutError():
            told = "it took too long"
        case socket.gaierror():
            told = "its name is not known"
        case ssl.SSLError():
            told = f"no trusted connection could be made: {reason.reason or 'no reason given'}"
        case OSError():
            told = f"it could not be reached: {reason.strerror or type(reason).__name__}"
        case _:
            return Silence(because=f"the answer of {asked} could not be read: {type(reason).__name__}")
    return Silence(because=f"{asked} did not answer: {told}", mute=True)


Asked = Callable[[Question], Page | Silence]
"""A way to ask: `ask` with the person's variables and patience."""
