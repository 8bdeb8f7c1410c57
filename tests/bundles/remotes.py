"""Bundles on a remote, which is a folder: it needs no server and no DVC."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bundles import archives
from bundles.case import Case

from reprokit.archive import cache
from reprokit.archive.layout import Archive
from reprokit.bundle.finding import Finding
from reprokit.sync.remotes.configuration import Remote, choose
from reprokit.sync.remotes.pull import pull
from reprokit.sync.remotes.push import push
from reprokit.sync.transfer import Transfer

PATIENCE = 60.0
"""Seconds."""


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """An archive whose bundles are on a remote; `bundle` is the one that is asked about."""

    archive: Archive
    folder: Path
    bundle: str
    others: tuple[str, ...]

    @property
    def remote(self) -> Remote:
        """The remote, as the archive's settings have it."""
        return choose(self.archive, None)

    @property
    def listing(self) -> Path:
        """The list of the bundle's files on the remote."""
        return shelf(self.folder, archives.object_of(self.archive, self.bundle))

    def object(self, path: str) -> Path:
        """Give the object on the remote of one of the bundle's files."""
        return shelf(self.folder, archives.object_of(self.archive, self.bundle, path))

    def pushed_again(self, *, verify: bool = False) -> Case:
        """Ask what a push finds that comes later."""
        return _found(lambda: push(self.archive, [self.bundle], self.remote, patience=PATIENCE, verify=verify))

    def pulled(self) -> Case:
        """Ask what a pull finds, into a copy of the archive that has neither the bundle nor its objects."""
        shutil.rmtree(self.archive.payload(self.bundle))
        shutil.rmtree(cache.of(self.archive).directory)
        return _found(lambda: pull(self.archive, [self.bundle], self.remote, patience=PATIENCE))


def _found(carry: Callable[[], Transfer]) -> Case:
    def look() -> list[Finding]:
        (carried,) = carry().bundles
        assert carried.findings or carried.outcome != "failed", carried.reason
        return carried.findings

    return Case(look=look)


def shelf(folder: Path, name: str) -> Path:
    """Tell where a remote keeps an object."""
    return folder / "files/md5" / name[:2] / name[2:]


def pushed(place: Path, *words: str) -> Pushed:
    """Make an archive, and push the bundles in it to a remote of its own."""
    archive = archives.created(place)
    first, *others = archives.registered(archive, *words)
    folder = place / "store"
    config = archive.root / ".dvc/config"
    core = config.read_text().replace("[core]\n", "[core]\n    remote = store\n", 1)
    config.write_text(f"{core}['remote \"store\"']\n    url = {folder}\n")
    made = Pushed(archive=archive, folder=folder, bundle=first, others=tuple(others))
    sent = push(archive, [first, *others], made.remote, patience=PATIENCE)
    assert {each.outcome for each in sent.bundles} == {"sent"}
    return made
