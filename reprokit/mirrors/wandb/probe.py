"""One short question to a W&B server: is it there, and does it know our key? W&B's client is not needed for it."""

from __future__ import annotations

import json
import math
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib import metadata

from packaging.version import InvalidVersion, Version

from reprokit import clock
from reprokit.errors import InputMissingError, RemoteError, ReprokitError
from reprokit.mirrors.interface import AwayError, Destination, Environment
from reprokit.mirrors.wandb import key, web
from reprokit.package_indexes import how_to_install

PATIENCE = 4.0
"""Seconds for all of it, however slowly a server answers."""
OLDEST = Version("0.30")
"""Older versions of W&B's client delete files of the user's, and lose artifacts without a word."""
INSTALL = f"{how_to_install('wandb')}, or `pip install 'wandb>={OLDEST}'` where reprokit is"
_QUESTION = {"query": "query Viewer { viewer { id username entity } }", "variables": {}, "operationName": "Viewer"}
_LARGEST = 1 << 20
_OVERLOADED = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_LONGEST_WAIT = timedelta(days=1)


@dataclass(kw_only=True)
class _Asking:
    """A question under way in a thread of its own: no server can keep us from going on, however it dribbles."""

    request: urllib.request.Request
    opener: urllib.request.OpenerDirector
    patience: float
    answer: bytes = b""
    failure: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        try:
            with self.opener.open(self.request, timeout=self.patience) as response:
                self.answer = response.read(_LARGEST)
        except web.TROUBLES as error:
            self.failure = error
        finally:
            self.done.set()


def probe(to: Destination, environment: Environment, *, patience: float = PATIENCE) -> None:
    """Ask a server whether it is there and knows our key.

    Raises:
        AwayError: it does not answer in time, or is overloaded.
        RemoteError: it refuses us, or is no W&B server.
        InputMissingError: there is no key, or W&B's client is not installed, or is too old.
    """
    require_client()
    secret = key.find(to, environment)
    headers = {"Content-Type": "application/json", "Authorization": web.authorization(secret), "User-Agent": "reprokit"}
    asking = _Asking(
        request=urllib.request.Request(  # noqa: S310 - the address was checked when it was settled: http or https
            f"{to.address}/graphql", data=json.dumps(_QUESTION).encode(), headers=headers, method="POST"
        ),
        opener=web.opener(to.address, environment, redirects=False),
        patience=patience,
    )
    threading.Thread(target=asking.run, daemon=True, name="reprokit-probe").start()
    if not asking.done.wait(patience):
        raise AwayError(f"W&B at {to.address} gave no answer for {patience:g} s", hint=_later(to))
    if isinstance(asking.failure, urllib.error.HTTPError):
        raise _refusal(asking.failure, to)
    if asking.failure is not None:
        raise AwayError(f"W&B at {to.address} cannot be reached: {_reason(asking.failure)}", hint=_later(to))
    _judge(asking.answer, to)


def require_client() -> None:
    """Go on only when W&B's client is installed, in a version that can be trusted with an artifact.

    Raises:
        InputMissingError: it is not.
    """
    try:
        found = metadata.version("wandb")
        recent = Version(found).release >= OLDEST.release
    except metadata.PackageNotFoundError:
        raise InputMissingError("W&B's client is not installed beside reprokit", hint=INSTALL) from None
    except InvalidVersion:
        return  # somebody's own build
    if not recent:
        raise InputMissingError(f"W&B's client here is {found}, and {OLDEST} or later is needed", hint=INSTALL)


def _judge(answer: bytes, to: Destination) -> None:
    """Read what the server answered with status 200."""
    try:
        said = json.loads(answer)
        viewer = said["data"]["viewer"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise RemoteError(f"{to.address} answers, and not as a W&B server does", hint=_where(to)) from None
    if not isinstance(viewer, dict):
        raise RemoteError(f"W&B at {to.address} does not know the key", hint=_log_in(to))


def _refusal(error: urllib.error.HTTPError, to: Destination) -> ReprokitError:
    with error:
        status = error.code
        if status in _OVERLOADED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            after = retry_after(error.headers)
            return AwayError(f"W&B at {to.address} cannot do it now (HTTP {status})", hint=_later(to), after=after)
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return RemoteError(f"W&B at {to.address} refuses the key (HTTP {status})", hint=_log_in(to))
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return RemoteError(
                f"{to.address} sends us on to another address, where the key is not sent",
                hint="name the address of the W&B server itself, in WANDB_BASE_URL or `mirror.wandb.base_url`",
            )
        return RemoteError(f"{to.address} answers, and not as a W&B server does (HTTP {status})", hint=_where(to))


def retry_after(headers: Message | None) -> float | None:
    """Read how many seconds a server asks to be left alone; `None` when it does not say, or not in any sensible way."""
    said = (headers.get("Retry-After") or "").strip() if headers is not None else ""
    if not said:
        return None
    try:
        seconds = float(said) if not said[:1].isalpha() else (parsedate_to_datetime(said) - clock.now()).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return None if math.isnan(seconds) else min(max(seconds, 0.0), _LONGEST_WAIT.total_seconds())


def _reason(error: Exception) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    told = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    return " ".join(told.split())[:200] or type(inner).__name__


def _later(to: Destination) -> str:
    return f"what waits is sent by `reprokit sync` later; check the network, and that {to.address} is the address"


def _where(to: Destination) -> str:
    return f"check WANDB_BASE_URL and `mirror.wandb.base_url`: {to.address} must be the address of the server itself"


def _log_in(to: Destination) -> str:
    return f"check WANDB_API_KEY, or store another key with `wandb login --relogin --host {to.address}`"
