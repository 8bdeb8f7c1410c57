"""Getting one bundle from a DVC remote into a folder of no archive's: every byte is proven before it is read."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from reprokit.archive.cache import Cache
from reprokit.bundle.finding import Finding, finding
from reprokit.bundle.reading import Bundle, open_bundle
from reprokit.errors import UnreadableError
from reprokit.mirrors.interface import Step, Watch
from reprokit.sync import transfer
from reprokit.sync.admission import proof as admission_proof
from reprokit.sync.remotes.finding import Held
from reprokit.sync.remotes.objects import Destination, Objects
from reprokit.sync.remotes.reading_back import is_sound
from reprokit.sync.remotes.wire import Finished, Moved

_SLACK = 1 << 20  # bytes
_ROW = 2200  # bytes of both manifests for each file, at most
_HEADROOM = 64 << 20  # bytes that a disk should have left
_MEND = "`reprokit push --verify` from a copy of its archive mends the remote"


def fetch(objects: Objects, held: Held, within: Path, *, address: str, watch: Watch) -> Bundle:
    """Bring a bundle into a folder, and prove it; it lies there in a folder that has its id.

    Args:
        objects: the remote.
        held: the bundle, as it was found there.
        within: a folder that nobody else writes to.
        address: of the remote, for what is told.
        watch: told how far it is.

    Raises:
        DamageError, RecordsError, NewerFormatError: it is not what was captured.
        UnreadableError: the disk has no room for it.
        RemoteError: the remote cannot be read.
    """
    sizes = _sizes(objects, held, address)
    total = sum(sizes[md5] for md5 in held.files.values())
    _require_space(within, held, total)
    store = Cache(directory=within / "objects", hardlinks=False)
    _bring(objects, held, store, sizes, address, watch)
    folder = within / "bag"
    _assemble(held, store, folder)
    shutil.rmtree(store.directory, ignore_errors=True)
    proven = admission_proof.prove(folder, most=total)
    return open_bundle(folder.rename(within / proven.info.bundle_id))


def _sizes(objects: Objects, held: Held, address: str) -> Mapping[str, int]:
    """Look up the objects of a bundle; all of them are there, and not much more than the bundle says it has."""
    paths = _paths(held)
    _refuse(_clashing(held), address)
    found = objects.sizes(list(paths))
    _refuse([finding("E111", paths[md5], md5) for md5 in paths if found.get(md5) is None], address)
    sizes = {md5: size for md5, size in found.items() if size is not None}
    most = 2 * held.info.payload_octets + _SLACK + _ROW * len(held.files)
    if sum(sizes[md5] for md5 in held.files.values()) > most:
        largest = max(sizes, key=lambda md5: sizes[md5])
        told = f"{largest} has {sizes[largest]} bytes, the whole bundle should have {held.info.payload_octets}"
        _refuse([finding("E110", paths[largest], told)], address)
    return sizes


def _paths(held: Held) -> dict[str, str]:
    """Give, for each object, the first path that it is the file of."""
    return {md5: path for path, md5 in sorted(held.files.items(), reverse=True)}


def _clashing(held: Held) -> list[Finding]:
    folders = {str(folder) for path in held.files for folder in PurePosixPath(path).parents}
    clashing = sorted(folders & held.files.keys())
    return [finding("E112", held.listing, f"`{path}` is a file and a folder") for path in clashing]


def _require_space(within: Path, held: Held, total: int) -> None:
    free, needed = shutil.disk_usage(within).free, 2 * total + _HEADROOM
    if free < needed:
        raise UnreadableError(
            f"`{held.info.bundle_id}` needs {needed / 1e9:.1f} GB, and the disk of `{within}` has {free / 1e9:.1f}",
            hint="make room, or let `TMPDIR` name another disk",
        )


def _bring(objects: Objects, held: Held, store: Cache, sizes: Mapping[str, int], address: str, watch: Watch) -> None:
    """Fetch the objects, each held against its name as it arrives."""
    paths = _paths(held)
    wanted = {md5: Destination(path=store.place(md5), most=sizes[md5]) for md5 in paths}
    for each in wanted.values():
        each.path.parent.mkdir(parents=True, exist_ok=True)
    wrong: list[Finding] = []
    octets, whole = 0, sum(sizes.values())
    for step in objects.fetch(wanted):
        match step:
            case Moved(octets=more):
                octets += more
            case Finished(object=name) if not is_sound(store.place(name), name):
                wrong.append(finding("E110", paths[name], name))
            case Finished():
                pass
        watch(Step(doing="fetching", octets=octets, of=whole))
    _refuse(sorted(wrong, key=lambda each: each.where), address)


def _refuse(wrong: list[Finding], address: str) -> None:
    if wrong:
        raise transfer.damage(wrong, remote=address, hint=_MEND)


def _assemble(held: Held, store: Cache, folder: Path) -> None:
    """Make the bundle of its objects; files with the same bytes get each their own."""
    for path, md5 in held.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(store.place(md5), target, follow_symlinks=False)
