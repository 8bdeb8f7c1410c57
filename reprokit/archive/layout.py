"""What lies where in an archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reprokit.bundle import naming

SETTINGS = "reprokit.toml"
FORMAT = 1
PRIVATE = ".reprokit"


@dataclass(frozen=True, order=True)
class Archive:
    """A git and DVC repository that holds bundles, by its root folder (absolute)."""

    root: Path

    @property
    def bundles(self) -> Path:
        """Payload (in DVC) and the pointers to it (in git), by month."""
        return self.root / "bundles"

    @property
    def catalog(self) -> Path:
        """One entry per bundle, derived from it, by month."""
        return self.root / "catalog"

    @property
    def ledger(self) -> Path:
        """Events about bundles, by month."""
        return self.root / "ledger"

    @property
    def signatures(self) -> Path:
        """Detached signatures of bundles, by bundle."""
        return self.root / "signatures"

    @property
    def locks(self) -> Path:
        """What package indexes say of the packages of bundles, by the digest of their lock."""
        return self.root / "locks"

    @property
    def private(self) -> Path:
        """What belongs to this copy of the archive alone; in neither git nor DVC."""
        return self.root / PRIVATE

    @property
    def staging(self) -> Path:
        """Bundles in the making, each in a folder of its own."""
        return self.private / "staging"

    @property
    def pending(self) -> Path:
        """Markers of bundles that were published and are not yet registered."""
        return self.private / "pending"

    @property
    def outbox(self) -> Path:
        """Bundles that wait to be copied to a mirror, by mirror."""
        return self.private / "outbox"

    @property
    def exports(self) -> Path:
        """What was written for the programs of mirrors to send, by mirror."""
        return self.private / "exports"

    @property
    def scratch(self) -> Path:
        """Files in the making, before they are moved into place."""
        return self.private / "scratch"

    @property
    def lock(self) -> Path:
        """What the one process that registers holds."""
        return self.private / "lock"

    def payload(self, bundle_id: str) -> Path:
        """Tell where the folder of a bundle is, or would be."""
        return self.bundles / naming.month(bundle_id) / bundle_id

    def pointer(self, bundle_id: str) -> Path:
        """Tell where the DVC pointer of a bundle is, or would be."""
        return self.bundles / naming.month(bundle_id) / f"{bundle_id}.dvc"

    def entry(self, bundle_id: str) -> Path:
        """Tell where the catalog entry of a bundle is, or would be."""
        return self.catalog / naming.month(bundle_id) / f"{bundle_id}.json"

    def relative(self, path: Path) -> PurePosixPath:
        """Write a path in the archive relative to its root."""
        return PurePosixPath(path.relative_to(self.root).as_posix())


def is_bundle_id(text: str) -> bool:
    """Tell whether a text has the form of a bundle id."""
    return naming.PATTERN.fullmatch(text) is not None
