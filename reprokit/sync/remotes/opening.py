"""Opening a remote, in the way that its address asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reprokit.archive.layout import Archive
from reprokit.sync.remotes.carrier import carry
from reprokit.sync.remotes.configuration import Remote
from reprokit.sync.remotes.folder import Folder
from reprokit.sync.remotes.objects import Objects


@contextmanager
def opened(archive: Archive, remote: Remote, *, patience: float) -> Iterator[Objects]:
    """Use a remote of an archive for the length of a block.

    Args:
        archive: the archive whose configuration describes the remote.
        remote: the remote.
        patience: seconds of silence after which it is given up; a folder knows none.

    Raises:
        RemoteError: it cannot be reached.
        InputMissingError: what reaches it is not installed.
        UsageError: its configuration is wrong.
    """
    if remote.folder is not None:
        yield Folder(remote=remote, root=remote.folder)
        return
    with carry(archive, remote, patience=patience) as carrier:
        yield carrier
