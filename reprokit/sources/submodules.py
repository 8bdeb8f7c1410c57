"""The submodules of a checkout that was restored: their commits, their room, and the addresses that it has for them.

`.gitmodules` is foreign, and a place where much was once found to be executed or overwritten. Of it only addresses are
read; names, `update`, `branch` and whatever else it may say play no part, and no `git submodule` is ever run.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from reprokit import git
from reprokit.errors import InvalidRecordError
from reprokit.git import GitError
from reprokit.sources.rebuilding import run

_SETTINGS = b".gitmodules"
_REGULAR_FILES = (b"100644", b"100755")
_SUBMODULE = b"160000"


def submodules(checkout: Path) -> dict[str, str]:
    """List path and commit of each submodule that a checkout's index has, odd bytes of paths as git has them.

    Raises:
        GitError: git cannot tell.
    """
    return {os.fsdecode(path): name.decode("ascii") for mode, name, path in _entries(checkout) if mode == _SUBMODULE}


def addresses(checkout: Path, remote: str | None) -> dict[str, list[str]]:
    """Read from where a checkout says that its submodules come, by their paths.

    Args:
        checkout: where it lies.
        remote: the address that the checkout itself comes from; relative addresses start there.

    Returns:
        Those addresses that may be fetched from. A file that git cannot read gives none.
    """
    if not any(path == _SETTINGS and mode in _REGULAR_FILES for mode, _, path in _entries(checkout)):
        return {}
    try:
        told = run(checkout, "config", "--null", "--no-includes", "--blob", ":.gitmodules", "--list")
    except GitError as error:
        if error.status is None:
            raise
        return {}
    settings: dict[str, dict[str, str]] = {}
    for item in os.fsdecode(told).split("\0")[:-1]:
        name, _, value = item.partition("\n")
        section, _, key = name.rpartition(".")
        settings.setdefault(section, {})[key] = value
    found: dict[str, list[str]] = {}
    for section, values in settings.items():
        address = resolved(values.get("url", ""), remote)
        if section.startswith("submodule.") and address is not None and git.transport(address):
            found.setdefault(values.get("path", ""), []).append(address)
    return found


def resolved(address: str, remote: str | None) -> str | None:
    """Resolve an address that is relative to a checkout's own remote, as git does; `None` when it has no remote.

    See `relative_url` in git's `remote.c`: each `../` takes the last part away, at a slash or else at a colon.
    """
    if not address.startswith(("./", "../")):
        return address
    if remote is None:
        return None
    around, separator = remote.removesuffix("/"), "/"
    while address.startswith(("./", "../")):
        if address.startswith("../"):
            last = max(around.rfind("/"), around.rfind(":") if "/" not in around else -1)
            if last < 0:
                return None
            separator = around[last]
            around = around[:last]
        address = address.partition("/")[2]
    return f"{around}{separator}{address}".removesuffix("/")


def room(checkout: Path, path: str) -> Path:
    """Find the empty folder that a submodule goes to, and make it where it is missing.

    Raises:
        InvalidRecordError: a link or a file is on the way, or the folder is not empty.
    """
    place = checkout
    for part in PurePosixPath(path).parts:
        place /= part
        try:
            facts = place.lstat()
        except FileNotFoundError:
            place.mkdir()
            continue
        if not stat.S_ISDIR(facts.st_mode):
            raise InvalidRecordError(f"the submodule `{path}` cannot be put in place: `{part}` is no folder")
    if any(place.iterdir()):
        raise InvalidRecordError(f"the submodule `{path}` cannot be put in place: something is there already")
    return place


def _entries(checkout: Path) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield mode, object and path of what the index has."""
    for item in run(checkout, "ls-files", "--stage", "-z").split(b"\0")[:-1]:
        facts, _, path = item.partition(b"\t")
        mode, name, _ = facts.split(b" ")
        yield mode, name, path
