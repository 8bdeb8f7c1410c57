"""What a remote is to us, however it is reached: a store of objects by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from reprokit.sync.remotes.wire import Finished, Moved


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where an object is to be put here, and the most bytes it may have."""

    path: Path
    most: int


class Objects(Protocol):
    """An open remote. Every call raises `RemoteError` when the remote does not do what it was asked."""

    @property
    def present(self) -> bool:
        """Whether the place that the remote names is known to be missing (then false)."""

    def sizes(self, names: Collection[str]) -> dict[str, int | None]:
        """Look up objects: their size in bytes, or `None` for one that is not there."""

    def send(self, files: Mapping[str, Path]) -> Iterator[Moved | Finished]:
        """Put files on the remote as the objects of these names, in place of what may be there."""

    def fetch(self, wanted: Mapping[str, Destination]) -> Iterator[Moved | Finished]:
        """Get objects; one that is not there has no size, and one that is too long is cut short.

        Nothing is verified: what arrives may be anything.
        """

    def listings(self) -> dict[str, int]:
        """Name all listings there are, by which folders are kept, with their size in bytes."""
