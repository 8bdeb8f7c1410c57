"""One request, and what is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request; `path` is decoded, and `names` are those of a GraphQL operation and of all fields in it."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Message
    body: bytes = b""


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def as_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})


def refused(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with an error, as the service words it."""
    return as_json({"errors": [{"message": message}], "error": message}, status, headers)


def graphql_errors(message: str, status: int = 200) -> Answer:
    """Answer with a GraphQL error."""
    return as_json({"data": None, "errors": [{"message": message, "path": []}]}, status)


def parsed(body: bytes) -> Any:
    """Give the JSON of a request.

    Raises:
        ValueError: it is none.
    """
    return json.loads(body or b"null")
