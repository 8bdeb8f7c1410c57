"""Archives with bundles in them, made by the project's own code."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache, partial
from pathlib import Path

from bundles import sealing
from bundles.case import Case

from reprokit import git
from reprokit.archive import cache, creation, dvc, ledger, publication, references, registration, validation
from reprokit.archive.garbage import collection
from reprokit.archive.layout import Archive
from reprokit.archive.ledger import Event
from reprokit.audit import committed
from reprokit.audit.drill import Reproduce, drill
from reprokit.bundle import bag
from reprokit.bundle.finding import Finding
from reprokit.bundle.record import Record
from reprokit.bundle.values import Json


@lru_cache(maxsize=1)
def _new() -> Path:
    """Make a new archive, once in a process: every case begins with a copy of its own."""
    folder = Path(tempfile.mkdtemp(prefix="reprokit-codes-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return creation.create(folder / "archive").root


def created(place: Path) -> Archive:
    """Give a new archive in a folder."""
    return Archive(shutil.copytree(_new(), place / "archive"))


def publish(
    archive: Archive, word: str = "one", *, files: sealing.Files | None = None, record: Record = sealing.RECORD
) -> str:
    """Put a small bundle into an archive, not registered yet, and tell its id."""
    staging = publication.stage(archive)
    sealing.seal(sealing.filled(staging / publication.BAG, files or sealing.files(word)), record)
    return publication.publish(archive, staging).bundle_id


def registered(archive: Archive, *words: str) -> list[str]:
    """Put small bundles into an archive, with pointer, catalog entry and ledger event, and tell their ids."""
    ids = [publish(archive, word) for word in words or ("one",)]
    register(archive)
    return ids


def register(archive: Archive) -> None:
    """Give all bundles that wait for it a pointer, a catalog entry and a ledger event."""
    assert registration.fold(archive).left == ()


def with_bundle(place: Path) -> tuple[Archive, str]:
    """Make an archive that holds one registered bundle."""
    archive = created(place)
    (bundle_id,) = registered(archive)
    return archive, bundle_id


def checked(archive: Archive, bundle_id: str) -> Case:
    """Ask whether what an archive says of a bundle fits it, as `reprokit validate ID` does."""
    return Case(look=partial(validation.check, archive, bundle_id))


def ledger_checked(archive: Archive) -> Case:
    """Ask whether the files of the ledger are what was written."""
    return Case(look=lambda: [found for _, found in validation.check_ledger(archive)])


def strays_sought(archive: Archive) -> Case:
    """Ask what does not belong where it lies."""
    return Case(look=lambda: [found for _, found in validation.check_strays(archive)])


def remove(archive: Archive, bundle_id: str) -> None:
    """Remove a bundle as a wrong merge does: git's HEAD has it no more, and here it is gone as well."""
    own = [str(archive.relative(path)) for path in (archive.pointer(bundle_id), archive.entry(bundle_id))]
    git.run(["rm", "-q", "--", *own], directory=archive.root)
    git.run(
        ["-c", "user.name=Ada", "-c", "user.email=ada@example.invalid", "commit", "-qm", "x"], directory=archive.root
    )
    shutil.rmtree(archive.payload(bundle_id))


def missed(archive: Archive, *removed: str) -> Case:
    """Ask which bundles the ledger misses, but for those that were removed on purpose."""
    return Case(look=lambda: list(committed.gone(archive, removed)))


def drilled(archive: Archive, reproduce: Reproduce) -> Case:
    """Ask what there is to say of a drill of one bundle."""

    def look() -> list[Finding]:
        done = drill(archive, references.bundle_ids(archive), count=1, tier="rerun", seed=1, reproduce=reproduce)
        return list(done.findings())

    return Case(look=look)


def garbage_sought(archive: Archive) -> Case:
    """Ask what of an archive is garbage, as `reprokit gc` does; nothing is removed."""
    return Case(look=lambda: collection.collect(archive).findings)


def append_event(archive: Archive, bundle_id: str, kind: str, **detail: Json) -> None:
    """Write an event about a bundle into the ledger, whatever it says."""
    identity = bag.identity(archive.payload(bundle_id))
    event = Event(event=kind, time="2026-11-24T00:00:00Z", bundle=bundle_id, identity=identity, detail=detail)
    ledger.append(archive, [event])


def object_of(archive: Archive, bundle_id: str, path: str | None = None) -> str:
    """Name the object of a bundle's file; of none, that of the list of its files."""
    oid = dvc.read_pointer(archive.pointer(bundle_id)).oid
    return oid if path is None else dvc.read_listing(cache.of(archive), oid)[path]


def cached(archive: Archive, bundle_id: str, path: str) -> Path:
    """Tell where the object of a bundle's file is in the cache."""
    return cache.of(archive).place(object_of(archive, bundle_id, path))


def unlink_from_cache(archive: Archive, bundle_id: str) -> None:
    """Let the files of a bundle share no bytes with the cache."""
    folder = archive.payload(bundle_id)
    shutil.copytree(folder, folder.with_name("copy"))
    shutil.rmtree(folder)
    folder.with_name("copy").rename(folder)
