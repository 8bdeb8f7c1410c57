"""The bundle that is looked at, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from reprokit.archive.layout import Archive
from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.errors import ReprokitError


@dataclass(frozen=True)
class Held:
    """One bundle of an archive. Nothing of it is trusted: it may be damaged, or not be here at all."""

    archive: Archive
    id: str

    @property
    def folder(self) -> Path:
        """Where it is, or would be."""
        return self.archive.payload(self.id)

    @property
    def here(self) -> bool:
        """Whether its payload is in this copy of the archive."""
        return self.folder.is_dir()

    @cached_property
    def bundle(self) -> Bundle | None:
        """The bundle, its record read; `None` when it is not here or cannot be read."""
        try:
            found = open_bundle(self.folder)
            _ = found.record
        except ReprokitError:
            return None
        return found
