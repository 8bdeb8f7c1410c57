"""The file system that an archive lies on: what it can, what it is, how much there is."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from reprokit.archive import cache, durable
from reprokit.archive.doctor.checking import Check, fail, ok, warn
from reprokit.archive.layout import Archive
from reprokit.errors import UsageError

_MOUNTS = Path("/proc/self/mountinfo")
_SHARED = {
    *("nfs", "nfs4", "lustre", "beegfs", "gpfs", "cifs", "smb3", "ceph", "fuse.ceph", "fuse.sshfs", "9p", "afs"),
    *("fuse.glusterfs", "orangefs", "pvfs2", "wekafs", "panfs"),
}
_FLEETING = {
    "tmpfs": "is kept in memory: a restart empties it",
    "ramfs": "is kept in memory: a restart empties it",
    "overlay": "belongs to a container: it goes with it",
    "aufs": "belongs to a container: it goes with it",
}
_LITTLE = 2 << 30
_NOTHING = 100 << 20
_FEW_FILES = 10_000
_GIB = 1 << 30
_CLONE = 0x40049409  # FICLONE, see ioctl_ficlone(2)


def check(archive: Archive) -> Iterator[Check]:
    """Look at the file system of an archive; files are made in its private folder, and removed."""
    yield _writable(archive)
    yield _lock(archive)
    yield _same_file_system(archive)
    yield _kind(archive)
    yield space(*shutil.disk_usage(archive.root)[::2])
    yield from _files_left(archive)
    yield _links(archive)
    yield from _case(archive)


def _trial(archive: Archive) -> Path:
    return archive.scratch / f"Doctor-{secrets.token_hex(8)}"


def _writable(archive: Archive) -> Check:
    hint = "mend owner and permissions, or use a copy of your own: `git clone`"
    folders = [archive.bundles, archive.catalog, archive.ledger, archive.root / ".git", cache.of(archive).directory]
    for folder in (archive.root, *folders):
        if folder.is_dir() and not os.access(folder, os.W_OK | os.X_OK):
            return fail("writable", f"`{folder}` cannot be written", hint)
    try:
        durable.prepare(archive)
        trial = _trial(archive)
        trial.write_bytes(b"written")
        trial.unlink()
    except UsageError as error:
        return fail("writable", error.message, error.hint)
    except OSError as error:
        return fail("writable", f"`{archive.private}` cannot be written: {error.strerror}", hint)
    return ok("writable", "bundles, catalog, ledger and cache can be written")


def _lock(archive: Archive) -> Check:
    try:
        with FileLock(archive.lock, timeout=0):
            return ok("lock", "it can be taken")
    except Timeout:
        return ok("lock", "another process is registering bundles")
    except (OSError, NotImplementedError) as error:
        return fail(
            "lock",
            f"`{archive.lock}` cannot be locked, so no bundle can be registered: {error}",
            "register on another machine: `reprokit sync` there",
        )


def _same_file_system(archive: Archive) -> Check:
    devices = {path.stat().st_dev for path in (archive.private, archive.bundles) if path.is_dir()}
    if archive.bundles.is_dir():
        devices |= {path.stat().st_dev for path in archive.bundles.iterdir() if path.is_dir()}
    if len(devices) > 1:
        return fail(
            "staging",
            "staging area and bundles lie on different file systems: nothing can be published by a rename",
            f"put `{archive.private}` and `{archive.bundles}` on one, without links and mounts",
        )
    return ok("staging", "on the file system of the bundles")


def kind_of(place: Path, mounts: str) -> str | None:
    """Tell the type of the file system that a path lies on, from the text of a `mountinfo`; see proc(5)."""
    best: tuple[int, str] | None = None
    for line in mounts.splitlines():
        described, _, told = line.partition(" - ")
        fields = described.split(" ")
        if len(fields) < 5 or not told:  # noqa: PLR2004 - the fifth field is the mount point
            continue
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
        # Of two at one point, the later hides the earlier.
        if place.is_relative_to(point) and (best is None or len(point) >= best[0]):
            best = (len(point), told.split(" ")[0])
    return best[1] if best else None


def kind(name: str | None) -> Check:
    """Judge the type of a file system."""
    if name is None:
        return ok("file system", "its type cannot be told here")
    if name in _SHARED:
        return warn(
            "file system",
            f"`{name}`, shared between machines: locks may not hold there, and registering needs one",
            "capture with `--defer` everywhere, and register on one machine: `reprokit sync`",
        )
    if name in _FLEETING:
        return warn(
            "file system", f"`{name}` {_FLEETING[name]}", "keep the archive on a disk, and push it: `reprokit push`"
        )
    return ok("file system", name)


def _kind(archive: Archive) -> Check:
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return kind(None)
    return kind(kind_of(archive.root.resolve(), mounts))


def space(total: int, free: int) -> Check:
    """Judge how much room there is, in bytes."""
    message = f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB are free"
    hint = "make room: `reprokit gc` may find some"
    if free < _NOTHING:
        return fail("free space", message, hint)
    return warn("free space", message, hint) if free < _LITTLE else ok("free space", message)


def _files_left(archive: Archive) -> Iterator[Check]:
    told = os.statvfs(archive.root)
    # A file system that makes them as it goes has no number.
    if told.f_files and told.f_favail < _FEW_FILES:
        yield warn(
            "free files", f"only {told.f_favail} more files fit on the file system", "remove some, or use another"
        )


def _links(archive: Archive) -> Check:
    store = cache.of(archive)
    folder = store.directory if store.directory.is_dir() else archive.scratch
    trial, link = _trial(archive), folder / f".doctor-{secrets.token_hex(8)}.tmp"
    try:
        trial.write_bytes(b"linked")
        if _link(trial, link):
            if store.hardlinks:
                return ok("links", "hardlinks: a bundle and DVC's cache share their bytes, and are one copy")
            return ok(
                "links", "hardlinks are possible, but `cache.type` of DVC does not want them: bytes are kept twice"
            )
        if _clone(trial, link):
            return ok("links", "no hardlinks, but reflinks: a copy takes no room")
    finally:
        for path in (trial, link):
            with suppress(OSError):
                path.unlink()
    return warn(
        "links",
        "no hardlink can be made from bundles into DVC's cache: every byte is kept twice",
        "put both on one file system that can",
    )


def _link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:
        return False
    return True


def _clone(source: Path, target: Path) -> bool:
    import fcntl  # noqa: PLC0415 - there is none on some systems

    try:
        with source.open("rb") as reading, target.open("wb") as writing:
            fcntl.ioctl(writing.fileno(), _CLONE, reading.fileno())
    except OSError:
        return False
    return True


def ignores_case(folder: Path) -> bool:
    """Tell whether a folder takes names that differ only in case for one."""
    trial = folder / f"Doctor-{secrets.token_hex(8)}"
    trial.touch()
    try:
        return trial.with_name(trial.name.lower()).exists()
    finally:
        trial.unlink()


def _case(archive: Archive) -> Iterator[Check]:
    if ignores_case(archive.scratch):
        yield warn(
            "case",
            "names that differ only in case are one here: a clone may hold files that this copy cannot",
            "keep the archive on a file system that tells them apart",
        )
