"""Which objects of DVC's cache are needed: those that a pointer leads to, and those of bundles that wait for one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from reprokit.archive import cache, dvc, pending, registration, small_file
from reprokit.archive.cache import Cache
from reprokit.archive.garbage import pointers as garbage_pointers
from reprokit.archive.layout import Archive
from reprokit.bundle.finding import Finding, finding
from reprokit.errors import ReprokitError

_DIRECTORY = ".dir"


@dataclass(kw_only=True)
class Needed:
    """Names of objects that must stay.

    `absent` are bundles, or lists of other DVC data, that are not in this copy: which objects they consist of is not
    known here. `findings` say what should be known and is not.
    """

    objects: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)


def needed(archive: Archive, since: str) -> Needed:
    """Find the objects that are needed, counting what the history dropped since a moment.

    Raises:
        GitError: git cannot tell what names them.
    """
    store = cache.of(archive)
    named = garbage_pointers.named(archive, since)
    found = Needed(findings=named.findings)
    for bundle_id, pointers in sorted(named.pointers.items()):
        for pointer in pointers:
            _expand(store, pointer.oid, bundle_id, archive.payload(bundle_id), found)
    others = named.objects | _of_run_cache(store, found)
    found.objects |= others
    for oid in sorted(each for each in others if each.endswith(_DIRECTORY)):
        _expand(store, oid, oid, None, found)
    waiting = {*registration.rescan(archive), *pending.waiting(archive)}
    for bundle_id in sorted(waiting | (named.entered - named.pointers.keys())):
        if archive.payload(bundle_id).is_dir():
            _survey(archive.payload(bundle_id), found)
        else:
            found.findings.append(finding("E117", bundle_id, "a catalog names it, and no pointer does"))
    return found


def _expand(store: Cache, oid: str, name: str, payload: Path | None, found: Needed) -> None:
    """Note an object that lists others, and those; where it is missing, the bundle itself may tell."""
    found.objects.add(oid)
    if os.path.lexists(store.place(oid)):
        try:
            found.objects.update(dvc.read_listing(store, oid).values())
        except ReprokitError as error:
            found.findings.append(finding("E117", name, error.message))
    elif payload is None or not payload.is_dir() or _survey(payload, found) != oid:
        found.absent.add(name)


def _survey(folder: Path, found: Needed) -> str | None:
    """Note the objects of a bundle that is here, whole as it was sealed, and give the name of their list."""
    try:
        listing = dvc.survey(folder)
    except (ReprokitError, OSError) as error:
        reason = error.message if isinstance(error, ReprokitError) else error.strerror or str(error)
        found.findings.append(finding("E117", folder.name, reason))
        return None
    found.objects |= {listing.oid, *listing.files.values()}
    return listing.oid


def _of_run_cache(store: Cache, found: Needed) -> set[str]:
    """Give what DVC's memory of runs names, in an adopted repository that has one."""
    objects: set[str] = set()
    for file in _files(store.directory.parent.parent / "runs"):
        try:
            objects |= {match.decode() for match in garbage_pointers.OBJECT.findall(small_file.read(file))}
        except OSError as error:
            found.findings.append(finding("E117", file.name, error.strerror or str(error)))
    return objects


def _files(folder: Path) -> Iterable[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in names)
