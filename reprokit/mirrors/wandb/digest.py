"""The digest that W&B gives to an artifact, from the MD5s of its files: so it is known before anything is sent."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

_HEADER = b"wandb-artifact-manifest-v1\n"
_OCTETS = 16


def entry_digest(md5: str) -> str:
    """Write an MD5 in hexadecimal as an artifact's list of files has it.

    Raises:
        ValueError: it is no hexadecimal number.
    """
    return base64.b64encode(bytes.fromhex(md5)).decode("ascii")


def artifact_digest(md5s: Mapping[str, str]) -> str:
    """Give the digest, 32 hexadecimal digits, of an artifact with these files: path → MD5 in hexadecimal.

    Names, types, aliases, metadata and sizes take no part in it.
    """
    digest = hashlib.md5(_HEADER, usedforsecurity=False)
    for path in sorted(md5s):
        digest.update(f"{path}:{entry_digest(md5s[path])}\n".encode())
    return digest.hexdigest()


def md5_of(entry: str) -> str:
    """Read an MD5, in hexadecimal, as an artifact's list of files has it.

    Raises:
        ValueError: it is none.
    """
    data = base64.b64decode(entry, validate=True)
    if len(data) != _OCTETS:
        message = f"it has {len(data)} bytes"
        raise ValueError(message)
    return data.hex()
