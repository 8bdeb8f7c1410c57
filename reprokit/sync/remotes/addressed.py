"""A DVC remote that is named by nothing but its address, on the command line: `dvc:ADDRESS#BUNDLE`.

What reaches it is the person's own: settings of a remote of that address in the archive that is used, or in DVC's own
configuration of the user; else what the transport finds by itself, such as keys of an SSH agent.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reprokit import git
from reprokit.archive.layout import Archive
from reprokit.errors import RemoteError, UsageError
from reprokit.sync.remotes.configuration import Remote, choose, configured
from reprokit.sync.remotes.objects import Objects
from reprokit.sync.remotes.opening import opened

PREFIX = "dvc:"
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)")
_HERE = {"file", "local"}
_PLAIN = re.compile(r"[^\x00-\x20\x7f\"'#,\\$]+")
_NAME = re.compile(r"[A-Za-z0-9._:-]{1,200}")


@dataclass(frozen=True, kw_only=True)
class Addressed:
    """What a person has named: the address of a remote, and which bundle there, if they said so."""

    address: str
    bundle: str | None

    def named(self, bundle_id: str) -> str:
        """Write the reference of a bundle there, without credentials."""
        return f"{PREFIX}{git.without_credentials(self.address)}#{bundle_id}"


def is_addressed(text: str) -> bool:
    """Tell whether a person has named a remote by its address; a file of such a name is meant by `./` before it."""
    return text.startswith(PREFIX)


def understand(text: str) -> Addressed:
    """Take a reference apart.

    Raises:
        UsageError: it is none.
    """
    rest = text.removeprefix(PREFIX)
    address, _, bundle = rest.rpartition("#") if "#" in rest else (rest, "", "")
    if not address or (bundle and not _NAME.fullmatch(bundle)):
        raise UsageError(
            f"`{text}` names no bundle of a DVC remote", hint="as in `dvc:s3://bucket/evals#20261124T10`, or `dvc:DIR`"
        )
    return Addressed(address=address, bundle=bundle or None)


@contextmanager
def reached(
    wanted: Addressed, archive: Archive | None, *, directory: Path, scratch: Path, patience: float
) -> Iterator[Objects]:
    """Use the remote of an address for the length of a block.

    Args:
        wanted: whose address it is.
        archive: the archive that is used, whose configuration may describe the remote.
        directory: the working directory, that a folder is relative to.
        scratch: an empty folder, for a configuration of DVC's.
        patience: seconds of silence after which it is given up.

    Raises:
        RemoteError: it cannot be reached, or there is nothing at that address.
        InputMissingError: what reaches it is not installed.
        UsageError: it is no address of a remote, or what describes it is wrong.
    """
    described, remote = _described(wanted.address, archive, directory, scratch)
    with _told(remote, own=described.root == scratch), opened(described, remote, patience=patience) as objects:
        if not objects.present:
            raise RemoteError(f"there is nothing at `{remote.address}`", hint="check the address")
        yield objects


def _described(address: str, archive: Archive | None, directory: Path, scratch: Path) -> tuple[Archive, Remote]:
    """Find what describes the remote: the archive that is used, or a configuration that is made here."""
    match = _SCHEME.fullmatch(address)
    if match is None or match["scheme"].lower() in _HERE:
        named = os.path.expanduser(match["rest"] if match else address)  # noqa: PTH111 - what is nobody's home stays
        folder = Path(os.path.normpath(directory.absolute() / named))
        return Archive(scratch), Remote(name="dvc", address=str(folder), folder=folder)
    if not _PLAIN.fullmatch(address):
        raise UsageError(f"`{address}` is no address that DVC's configuration can hold", hint="write `%20` for a blank")
    plain, own = address.rstrip("/"), Archive(scratch)
    if archive is not None:
        for each in configured(archive):
            if each.address.rstrip("/") == plain:
                return archive, choose(archive, each.name)
    # DVC reads the user's own files for this folder as for any other, so their secrets stay with it.
    users = configured(own)
    name = "dvc"
    while any(each.name == name for each in users):
        name += "-"
    control = scratch / ".dvc"
    control.mkdir()
    (control / "config").write_text(f"['remote \"{name}\"']\n    url = {_by_the_users(plain, users)}\n", "utf-8")
    return own, choose(own, name)


def _by_the_users(address: str, users: list[Remote]) -> str:
    """Write an address by way of the user's own remote that it is, or lies below, whose settings then hold."""
    for each in sorted(users, key=lambda each: len(each.address), reverse=True):
        base = each.address.rstrip("/")
        if each.folder is None and (address == base or address.startswith(f"{base}/")):
            return f"remote://{each.name}{address[len(base) :]}"
    return address


@contextmanager
def _told(remote: Remote, *, own: bool) -> Iterator[None]:
    """Say of a remote that only its address describes where DVC looks for the rest."""
    try:
        yield
    except RemoteError as error:
        if not own or remote.folder is not None:
            raise
        settings = f"`dvc remote add --global NAME {shlex.quote(remote.address)}`, then `dvc remote modify --global`"
        raise RemoteError(error.message, hint=f"{error.hint}; its settings: {settings}") from error
