"""The talk of two processes: a line of JSON for each message, over the standard streams of the one that was started."""

from __future__ import annotations

import os
from typing import Any, BinaryIO, Generic, TypeVar

import msgspec

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Lines(Generic[Request, Answer]):
    """Writes messages as lines, and reads them.

    Args:
        requests: what may be asked, a union of tagged structs.
        answers: what may be answered, the same.
    """

    def __init__(self, requests: Any, answers: Any) -> None:
        self._encoder = msgspec.json.Encoder()
        self._requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(requests)
        self._answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(answers)

    def encode(self, message: Request | Answer) -> bytes:
        """Write a message as a line."""
        return self._encoder.encode(message) + b"\n"

    def request(self, line: bytes) -> Request:
        """Read what is asked.

        Raises:
            msgspec.DecodeError: it is nothing of the kind.
        """
        return self._requests.decode(line)

    def answer(self, line: bytes) -> Answer:
        """Read what is answered.

        Raises:
            msgspec.DecodeError: it is nothing of the kind.
        """
        return self._answers.decode(line)


def take_streams() -> tuple[BinaryIO, BinaryIO]:
    """Take standard input and output for the talk with our parent, and leave none to whatever else runs here."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nothing, descriptor)
    return requests, answers
