"""Plain HTTP for what needs no client: the user's proxies and certificates, and no key that strays to another host."""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from reprokit.mirrors.interface import Environment

_SCHEMES = ("http", "https")
CERTIFICATES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


def opener(address: str, environment: Environment, *, redirects: bool) -> urllib.request.OpenerDirector:
    """Make what opens an address, which neither reads local files nor speaks anything but HTTP.

    Only requests that hold no key may be sent on by `redirects`: what is said to one host, is not said to another.
    """
    made = urllib.request.OpenerDirector()
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler(_proxies(address, environment)),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=_context(environment)),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ]
    if redirects:
        handlers.append(urllib.request.HTTPRedirectHandler())
    for each in handlers:
        made.add_handler(each)
    return made


def authorization(key: str) -> str:
    """Write a key as W&B's programs send it."""
    return "Basic " + base64.b64encode(f"api:{key}".encode()).decode("ascii")


def _variable(name: str, environment: Environment) -> str | None:
    return environment.get(name) or environment.get(name.upper())


def _proxies(address: str, environment: Environment) -> dict[str, str]:
    host = urlsplit(address).netloc.rpartition("@")[2]
    excepted = _variable("no_proxy", environment)
    if excepted and urllib.request.proxy_bypass_environment(host, {"no": excepted}):  # type: ignore[attr-defined]  # typeshed has it not
        return {}
    fallback = _variable("all_proxy", environment)
    found = {scheme: _variable(f"{scheme}_proxy", environment) or fallback for scheme in _SCHEMES}
    return {scheme: proxy for scheme, proxy in found.items() if proxy}


def _context(environment: Environment) -> ssl.SSLContext:
    named = (environment.get(each) for each in CERTIFICATES)
    bundle = next((each for each in named if each and Path(each).is_file()), None)
    folder = environment.get("SSL_CERT_DIR")
    return ssl.create_default_context(cafile=bundle, capath=folder if folder and Path(folder).is_dir() else None)


TROUBLES = (OSError, http.client.HTTPException, ValueError)
"""What opening and reading may raise; `urllib.error.URLError` and `ssl.SSLError` are such."""
