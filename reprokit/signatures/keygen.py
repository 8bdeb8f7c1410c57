"""The one program that reads keys and signatures: OpenSSH's `ssh-keygen`. Nothing here parses either."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reprokit import child_process
from reprokit.child_process import Ended

PROGRAM = "ssh-keygen"
NAMESPACE = "reprokit-bundle"
LARGEST = 1 << 16
"""Bytes of a signature; that of the longest key has some thousand."""

_SECONDS = 20.0
_KEY = re.compile(r" with \S+ key (?P<key>SHA256:\S+)\s*$")
_FINGERPRINT = re.compile(r"(?<!\S)SHA256:[A-Za-z0-9+/]{43}(?!\S)")
_SAYS_NOTHING = ("Could not verify signature", "No principal matched")


@dataclass(frozen=True, kw_only=True)
class Keygen:
    """The program, the variables that it gets, and a private folder to work in."""

    program: str
    environment: Mapping[str, str]
    folder: Path

    def run(self, *words: str | Path, stdin: bytes = b"", seconds: float = _SECONDS) -> Ended:
        """Run it to its end, with nobody to ask.

        Raises:
            TookTooLongError: it was ended.
            OSError: it cannot be started, or was ended by a signal.
        """
        ended = child_process.run(
            [self.program, *map(str, words)],
            directory=self.folder,
            environment=self.environment,
            stdin=stdin,
            timeout=seconds,
        )
        if ended.status < 0:
            raise OSError(f"signal {-ended.status} has ended it")
        return ended

    def signed_by(self, signature: Path, data: bytes) -> tuple[str | None, Ended]:
        """Tell the fingerprint of the key that has signed some bytes, whoever's it is; `None` when it has not.

        Raises:
            TookTooLongError: it was ended.
            OSError: it cannot be run.
        """
        ended = self.run("-Y", "check-novalidate", "-n", NAMESPACE, "-s", signature, stdin=data)
        return (key_in(ended.out) if ended.status == 0 else None), ended

    def fingerprint(self, key: Path) -> str | None:
        """Tell the fingerprint of a key; `None` when that takes its passphrase, or it is none.

        Raises:
            TookTooLongError: it was ended.
            OSError: it cannot be run.
        """
        ended = self.run("-l", "-E", "sha256", "-f", key)
        found = _FINGERPRINT.search(text(ended.out)) if ended.status == 0 else None
        return found[0] if found else None


def find(environment: Mapping[str, str]) -> str | None:
    """Find the program; `None` when there is none on PATH."""
    return shutil.which(PROGRAM, path=environment.get("PATH"))


def key_in(out: bytes) -> str:
    """Read the fingerprint of the key of a good signature from what the program says of it."""
    found = _KEY.search(text(out))
    return found["key"] if found else "unknown"


def text(data: bytes) -> str:
    """Read what the program wrote."""
    return data.decode("utf-8", errors="replace")


def told(ended: Ended) -> str:
    """Give what the program says of its refusal, in one line; empty when it says nothing of use."""
    lines = [line.strip() for line in text(ended.said).splitlines()]
    return "; ".join(line for line in lines if line and not line.startswith(_SAYS_NOTHING))
