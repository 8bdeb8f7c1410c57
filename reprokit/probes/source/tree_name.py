"""The name of the tree that an index describes, reckoned rather than written.

`git write-tree` would write every tree anew into an object store that does not see the user's: seconds for a large
repository, where hashing takes milliseconds.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable

_FOLDER = b"40000"


def tree_name(entries: Iterable[tuple[bytes, bytes, bytes]]) -> str:
    """Name the tree of some files, given as mode (octal digits), path and hexadecimal object name each."""
    members: dict[bytes, list[tuple[bytes, bytes]]] = defaultdict(list)
    for mode, path, name in entries:
        folder, _, base = path.rpartition(b"/")
        members[folder].append((base, _member(mode, base, bytes.fromhex(name.decode("ascii")))))
        while folder and (above := folder.rpartition(b"/")[0]) not in members:
            folder = above
            members[folder] = []
    root = members.pop(b"", [])
    for folder in sorted(members, key=lambda path: path.count(b"/"), reverse=True):
        above, _, base = folder.rpartition(b"/")
        # Git sorts a folder as though its name ended in a slash.
        (members[above] if above else root).append((base + b"/", _member(_FOLDER, base, _hash(members[folder]))))
    return _hash(root).hex()


def _member(mode: bytes, base: bytes, name: bytes) -> bytes:
    return mode + b" " + base + b"\0" + name


def _hash(members: list[tuple[bytes, bytes]]) -> bytes:
    body = b"".join(member for _, member in sorted(members))
    return hashlib.sha1(b"tree %d\0" % len(body) + body, usedforsecurity=False).digest()
