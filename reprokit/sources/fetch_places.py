"""Where a commit may be fetched from: what the caller names, then the recorded remotes that may be asked at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

from reprokit import git
from reprokit.bundle.source import Source
from reprokit.errors import UsageError
from reprokit.git import GitError, GitMissingError

Origin: TypeAlias = str | Path


@dataclass(frozen=True, kw_only=True)
class FetchPlace:
    """Somewhere that a commit may be fetched from: `name` is that of the recorded remote, if it is one."""

    address: str
    transport: str
    name: str | None = None

    def __str__(self) -> str:
        """Name it for people."""
        return f"the remote `{self.name}` ({self.address})" if self.name else f"`{self.address}`"


def fetch_places(source: Source, origins: Sequence[Origin]) -> list[FetchPlace]:
    """List where to look, the caller's places first; a remote that must not be fetched from is passed over.

    Raises:
        UsageError: one of the caller's is nothing to fetch from.
    """
    return [*(named_place(origin) for origin in origins), *_recorded(source)]


def named_place(origin: Origin) -> FetchPlace:
    """Understand a place that the caller names: a folder, or an https or ssh address.

    Raises:
        UsageError: it is nothing to fetch from.
    """
    path, transport = _local(origin), git.transport(str(origin))
    if is_folder(path):
        return FetchPlace(address=str(path.resolve()), transport="file")
    if transport is not None:
        return FetchPlace(address=str(origin), transport=transport)
    hint = "name a folder that holds a git clone, or an https or ssh address"
    raise UsageError(f"the origin `{origin}` cannot be fetched from", hint=hint)


def is_folder(path: Path) -> bool:
    """Tell whether a folder is there; what can be no path, as a long address, is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _recorded(source: Source) -> Iterator[FetchPlace]:
    for name, address in source.remotes.items():
        if (transport := git.transport(address)) is not None:
            yield FetchPlace(address=address, transport=transport, name=name)


def _local(origin: Origin) -> Path:
    address = str(origin)
    is_url = address.startswith("file:///")
    return Path(unquote(address.removeprefix("file://"), errors="surrogateescape") if is_url else address)


def is_in(repository: Path, commit: str) -> bool:
    """Tell whether a commit is in a repository of somebody's; one that git cannot read has none.

    Raises:
        GitMissingError: there is no git program.
    """
    try:
        return git.answer(["cat-file", "-e", f"{commit}^{{commit}}"], directory=repository) is not None
    except GitMissingError:
        raise
    except (GitError, OSError):
        return False
