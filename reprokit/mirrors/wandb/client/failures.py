"""What a failure means for whoever asked: whether to try again, or to do something about it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from reprokit.errors import FixityError, InputMissingError, NotFoundError, ReprokitError
from reprokit.mirrors.interface import AwayError
from reprokit.mirrors.wandb import redaction
from reprokit.mirrors.wandb.wire import Failed, Trouble

_LONGEST = 300
_STATUS = re.compile(r"(?:HTTP|status(?: code)?|error|code):? ?([1-5]\d\d)\b|\b([45]\d\d) (?:Client|Server) Error\b")
_WORDS = re.compile(r"\b([45]\d\d) (?:[A-Z][a-z]+)")
_PERMISSION = re.compile(r"(https?://[^\s?\"']*)\?[^\s\"']*")
_DELETED = re.compile(r"previously created and deleted")
_FOR_EVER = re.compile(r"permission|denied|not authorized|unauthorized|forbidden|invalid", re.IGNORECASE)
_ABOUT_REQUEST = re.compile(
    r"already exists with (?:an?other |a different )?type|different artifact type", re.IGNORECASE
)
_TRIED = re.compile(r"giving up|timed? ?out|retry|connect|refused|reset|EOF|deadline", re.IGNORECASE)
_NOT_NOW = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.LOCKED,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}
_MISSING = {"RunNotFoundError"}


def told(error: Exception) -> Failed:
    """Tell a failure in one line, and what it means."""
    if isinstance(error, ReprokitError):
        return Failed(trouble=_of_ours(error), reason=error.message, hint=error.hint)
    return Failed(trouble=_trouble(error), reason=reason(error))


def reason(error: BaseException) -> str:
    """Say in one line what went wrong, without the permission that an address may hold."""
    text = _without_key(" ".join(_PERMISSION.sub(r"\1", str(error)).split()))
    return (f"W&B's client says: {text}" if text else f"W&B's client failed: {type(error).__name__}")[:_LONGEST]


def brief(error: BaseException) -> str:
    """Say in a few words what went wrong on the way, without an address: it may hold a permission."""
    inner = getattr(error, "reason", error)
    told = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    return _without_key(" ".join(told.split()))[:_LONGEST] or type(error).__name__


def _without_key(text: str) -> str:
    """Take our key out before anything is cut: half of it is told from other words by nobody."""
    return redaction.redacted(text, os.environ.get("WANDB_API_KEY"))


def _of_ours(error: ReprokitError) -> Trouble:
    match error:
        case AwayError():
            return "away"
        case NotFoundError():
            return "missing"
        case FixityError():
            return "fixity"
        case InputMissingError():
            return "client"
        case _:
            return "refused"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield a failure and those that led to it; W&B's client also keeps one in `exc`."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]
        kept = getattr(each, "exc", None)
        waiting.append(kept if isinstance(kept, BaseException) else None)


def status(error: BaseException) -> int | None:
    """Give the HTTP status that a failure is about, as far as W&B's client tells; 200 for an answer of errors."""
    for each in _chain(error):
        response: Any = getattr(each, "response", None)
        found = getattr(response, "http_status", None) or getattr(response, "status_code", None)
        if isinstance(found, int) and found:
            return found
    for each in _chain(error):
        if match := _STATUS.search(str(each)) or _WORDS.search(str(each)):
            return int(next(group for group in match.groups() if group))
    return None


def is_missing(error: BaseException) -> bool:
    """Tell whether the server answered, and has no such thing."""
    names = {type(each).__name__ for each in _chain(error)}
    if names & _MISSING:
        return True
    # Without a failure of the transport among what led to it, it is what the client makes of an empty answer.
    return "ValueError" in names and not names & {
        "WandbApiFailedError",
        "HTTPError",
        "JSONDecodeError",
        "ValidationError",
    }


def is_of_deleted_run(error: BaseException) -> bool:
    """Tell whether a run was refused since one of its id was there, and was deleted: such an id never comes back."""
    return any(_DELETED.search(str(each)) for each in _chain(error))


def is_refusal_of_run(error: BaseException) -> bool:
    """Tell whether a run was refused for good: then the client gives up at once, and only repeats what was answered.

    What it has tried again, or never reached the server, it tells as such.
    """
    return type(error).__name__ == "CommError" and status(error) is None and not _TRIED.search(str(error))


def _trouble(error: BaseException) -> Trouble:
    if isinstance(error, ImportError):
        return "client"
    found, words = status(error), " ".join(str(each) for each in _chain(error))
    if found in {None, HTTPStatus.OK, HTTPStatus.CONFLICT} and _ABOUT_REQUEST.search(words):
        return "refused"
    if found is None or found == HTTPStatus.OK:
        return "refused" if found == HTTPStatus.OK and _FOR_EVER.search(words) else "away"
    if found in _NOT_NOW or (found >= HTTPStatus.INTERNAL_SERVER_ERROR and found != HTTPStatus.NOT_IMPLEMENTED):
        return "away"
    return "refused" if found >= HTTPStatus.BAD_REQUEST else "away"
