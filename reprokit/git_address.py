"""Where git reads from: what of an address may be written down, whether a stranger's may be fetched from."""

from __future__ import annotations

import re
from pathlib import Path

_HOST = r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])"
_USER = r"([A-Za-z0-9_][A-Za-z0-9_.-]*@)?"
_FETCHABLE = {
    "https": re.compile(rf"https://{_HOST}(:[0-9]+)?/[^\s\x00-\x1f]+"),
    "ssh": re.compile(rf"ssh://{_USER}{_HOST}(:[0-9]+)?/[^\s\x00-\x1f]+|{_USER}{_HOST}:(?![:-]|//)[^\s\x00-\x1f]+"),
}
_AUTHORITY = re.compile(r"(?P<scheme>[A-Za-z0-9+.:-]*)://(?P<user>[^/?#]*@)?(?P<rest>.*)", re.DOTALL)
_USER_IN_TEXT = re.compile(r"(?<=://)[^/\s'\"@]*@")


def without_credentials(address: str) -> str:
    """Strip the secrets that a remote's address can hold: user and password, and the query.

    The user name of an SSH address stays: it names an account (`git@…`), and the address is useless without it.
    """
    match = _AUTHORITY.fullmatch(address)
    if match is None:
        account, at, rest = address.partition("@")
        secret = at and ":" in account and "/" not in account
        return account.partition(":")[0] + at + rest if secret else address
    user = ""
    if match["user"] and match["scheme"].endswith("ssh"):
        user = match["user"].removesuffix("@").partition(":")[0] + "@"
    return f"{match['scheme']}://{user}" + re.split("[?#]", match["rest"], maxsplit=1)[0]


def without_users(text: str) -> str:
    """Take the user and the password out of every address in what a program said."""
    return _USER_IN_TEXT.sub("", text)


def object_directory(path: Path) -> str:
    """Write a folder as an element of `GIT_ALTERNATE_OBJECT_DIRECTORIES`, which is split at colons unless quoted."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def transport(address: str) -> str | None:
    """Tell over which transport a foreign address may be fetched: `https`, `ssh`, or `None` when it must not be.

    Local paths, `ext::` and other helpers, plain `http` and `git`, and whatever a program could take for an option, are
    none.
    """
    return next((name for name, pattern in _FETCHABLE.items() if pattern.fullmatch(address)), None)
